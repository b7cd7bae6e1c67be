"""What `data.train`, `validation` and `test` may name, told apart without numpy, so that `summary` is instant.

The data set that needs no download is scikit-learn's handwritten digits, written once as PNG files in class folders:
1,797 grey images of 8x8 pixels (https://archive.ics.uci.edu/dataset/80), values 0..16 scaled to 0..255.
"""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.config.schema import CsvColumns
from cnnctl.data import table
from cnnctl.data.archives import unwrapped
from cnnctl.data.cache.folders import cache_folder, staging_folder
from cnnctl.data.file_names import COCO, PARQUET, TABLE_SUFFIXES
from cnnctl.data.listing import count_classes
from cnnctl.data.shards import list_shards, shards_of
from cnnctl.data.sheets import table_at
from cnnctl.errors import MachineError
from cnnctl.system.files import is_folder
from cnnctl.system.home import temporary_folder, user_cache
from cnnctl.system.packages import insist_on
from cnnctl.system.trust import is_foreign, is_trusted, of_this_user

_VERSION = 1
_CLASSES = 10
_IMAGES = 1797


def is_table(path: Path) -> bool:
    """Whether a path is taken for a table by its name: a CSV, JSON Lines, Parquet or COCO's JSON."""
    return path.suffix.lower() in (*TABLE_SUFFIXES, PARQUET, COCO) and not is_folder(path)


def table_columns(columns: CsvColumns, groups: bool = False, several: bool = False) -> table.Columns:
    """The config's column names in the form of data/table.py; with `groups` that of the groups too.

    `several` says whether an image may have several labels.
    """
    group, several = columns.group if groups else None, several or not isinstance(columns.label, str)
    return table.Columns(columns.path, columns.label, group, columns.folder, several=several)


def count_source_classes(
    source: str, columns: CsvColumns, folders_are_classes: bool = False, several: bool = False
) -> int:
    """The number of classes of a source without looking at its images.

    Raises:
        DataError: nothing is there, or it holds splits.
    """
    if source in BUILT_IN_DATA:
        return _CLASSES
    path = Path(source)
    found = table_at(path, folders_are_classes)
    if found is not None:
        return table.count_labels(found, table_columns(columns, several=several))
    shards = shards_of(path)
    if shards:
        return len(list_shards(shards, several).classes())
    return count_classes(unwrapped(path), None if folders_are_classes else ())


def digits_folder(cache: str = "auto") -> Path:
    """The folder with the digits as `<class>/<number>.png`; written at the first call.

    `cache` is that of the config: with `off`, and where the user's cache folder cannot be written, they are written
    into the temporary directory, and where that is not safe, into a folder that goes with this process.

    Raises:
        MachineError: there is no folder that can be written.
    """
    name = f"digits-{_VERSION}"
    user = user_cache()
    if user is not None and is_trusted(user / name):
        return user / name
    base = (temporary_folder() if cache == "off" else cache_folder()) or _folder_of_this_process()
    folder = base / (of_this_user(name) if is_foreign(base / name) else name)
    if base != user and _is_swept(folder):
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.is_dir():
        _write_digits(folder)
    return folder


@functools.cache
def _folder_of_this_process() -> Path:
    try:
        folder = tempfile.mkdtemp(prefix="cnnctl.")
    except OSError as error:
        raise MachineError(f"the digits cannot be written: {error}", "set TMPDIR to a folder of yours") from None
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _is_swept(folder: Path) -> bool:
    """Whether images are missing: systems remove old files from the temporary directory."""
    return folder.is_dir() and sum(1 for _ in folder.glob("*/*.png")) < _IMAGES


def _write_digits(folder: Path) -> None:
    insist_on("sklearn")
    import numpy as np
    from sklearn.datasets import load_digits

    from cnnctl.data.decoder.images import opencv

    cv2 = opencv()
    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    staging = staging_folder(folder)
    for label in range(_CLASSES):
        (staging / str(label)).mkdir()
    for number, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
        encoded = cv2.imencode(".png", image)[1].tobytes()
        (staging / str(label) / f"{number:04}.png").write_bytes(encoded)
    staging.chmod(0o755)
    try:
        staging.rename(folder)
    except OSError:
        shutil.rmtree(staging)
        if not folder.is_dir():
            raise

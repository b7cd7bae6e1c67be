"""What a report may embed: a run may come from anybody, and its report may go to anybody."""

import heapq
import os
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

from cnnctl.config import Config
from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.data.coco import images_folder
from cnnctl.data.decoder.images import ImageError
from cnnctl.data.decoder.reading import read_bytes
from cnnctl.data.file_names import COCO
from cnnctl.data.sources import digits_folder, is_table
from cnnctl.errors import DataError, RunError
from cnnctl.evaluation.plots.mistakes import SHOWN
from cnnctl.runs import Run
from cnnctl.system.digests import digest

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def belongs_to_another(run: Run) -> bool:
    """Whether the run, or what says which images are its own, has another owner than this process."""
    if not hasattr(os, "geteuid"):  # Windows
        return False
    mine = os.geteuid()
    return any(path.lstat().st_uid != mine for path in (run.path.resolve(), run.config, run.split))


def data_folders(config: Config) -> list[Path]:
    """The folders that a config takes images from."""
    folders: list[Path] = []
    for source in config.data.sources.values():
        path = digits_folder(config.data.cache) if source in BUILT_IN_DATA else Path(source)
        if source not in BUILT_IN_DATA and is_table(path):
            if path.suffix.lower() == COCO:
                with suppress(DataError):
                    folders.append(images_folder(path))
            path = path.parent
            if config.data.csv.folder is not None:
                folders.append(Path(config.data.csv.folder))
        folders.append(path)
    return folders


def shows_unknown_images(run: Run, known: Container[bytes]) -> bool:
    """Whether the picture of the mistakes may show files that the run was not made of.

    Evaluating a stranger's run draws whatever files of this machine its split.csv names.
    """
    rows = run.read_rows(run.predictions, ("path", "probability", "correct"))
    try:
        wrong = ((float(row["probability"]), row["path"]) for row in rows if row["correct"] != "true")
        shown = heapq.nlargest(SHOWN, wrong, key=lambda one: one[0])
        digests = [_digest_of(path) for _, path in shown]
    except (RunError, ValueError):
        return True
    return any(one is not None and one not in known for one in digests)


def _digest_of(path: str) -> bytes | None:
    """That of an image's file; None where it cannot be read, and was not drawn either."""
    try:
        return digest(read_bytes(path))
    except ImageError:
        return None


def read_plot(run: Run, path: Path) -> bytes | None:
    """A picture in a run, which must be a PNG; None where there is none.

    Raises:
        RunError: it is something else: a link could show any file of this machine.
    """
    if not run.has(path):
        return None
    try:
        content = run.read_bytes(path)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    if not content.startswith(_SIGNATURE):
        raise RunError(f"{path} is not a PNG picture that cnnctl drew", "remove it; cnnctl evaluate draws it again")
    return content

"""The data set that needs no download: scikit-learn's handwritten digits, written once as PNG files in class folders.

1,797 grey images of 8x8 pixels (https://archive.ics.uci.edu/dataset/80), values 0..16 scaled to 0..255.
"""

import shutil
from pathlib import Path

from cnnctl.data.cache.folders import cache_folder, staging_folder

VERSION = 1
CLASSES = 10


def digits_folder() -> Path:
    """The folder with the digits as `<class>/<number>.png`; written at the first call.

    Raises:
        MachineError: the cache folder cannot be written.
    """
    folder = cache_folder() / f"digits-{VERSION}"
    if not folder.is_dir():
        _write(folder)
    return folder


def _write(folder: Path) -> None:
    import numpy as np
    from sklearn.datasets import load_digits

    from cnnctl.data.decoder.images import opencv

    cv2 = opencv()
    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    staging = staging_folder(folder)
    for label in range(CLASSES):
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

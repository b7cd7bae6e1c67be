"""Digits that are also `even` and `above 4`: a small data set of images with several labels each."""

import csv
from pathlib import Path

from cnnctl.data.several import joined
from cnnctl.data.sources import digits_folder

IMAGES = 28
"""Of each digit."""

CONFIG = """\
output: multi_label
data: {train: digits.csv, validation: 0.2, test: 0.2, image: {size: 8, channels: 1}}
model:
  - conv2d: {filters: 8, kernel_size: 3, padding: same, activation: relu}
  - flatten
  - dense: {units: 32, activation: relu}
train: {epochs: 4, batch_size: 16, optimizer: {adam: {learning_rate: 0.01}}}
"""


def labels_of(digit: int) -> str:
    return joined([str(digit), *(["even"] if digit % 2 == 0 else []), *(["above 4"] if digit > 4 else [])])


def write_csv(file: Path, start: int = 0, count: int = IMAGES) -> None:
    """Some images of each digit, with their labels."""
    images = [
        (path, labels_of(digit))
        for digit in range(10)
        for path in sorted(digits_folder().glob(f"{digit}/*"))[start : start + count]
    ]
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([("path", "label"), *images])


def write(folder: Path) -> None:
    """digits.csv and digits.yaml."""
    write_csv(folder / "digits.csv")
    (folder / "digits.yaml").write_text(CONFIG)

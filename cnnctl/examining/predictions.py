"""What networks that have not seen images said of them, from the predictions.csv of cross-validate or evaluate."""

from pathlib import Path

import numpy as np

from cnnctl.data.labels import describe_unknown
from cnnctl.errors import DataError
from cnnctl.examining.labels import Opinion
from cnnctl.examining.rows import read_rows
from cnnctl.examining.subject import Subject

_COLUMNS = ("path", "predicted", "probability")
_MADE_BY = "it is the predictions.csv that cnnctl cross-validate or cnnctl evaluate writes"


def read_predictions(file: Path, subject: Subject) -> Opinion:
    """The probabilities of the images that a file names; of an image in several rows, their mean.

    The file has the probability of one class for each image; the others get equal parts of the rest.

    Raises:
        DataError: it has another form, a class that the data does not have, or none of its images.
    """
    number = {name: index for index, name in enumerate(subject.classes)}
    place = {path: row for row, path in enumerate(subject.paths)}
    total = np.zeros((len(subject.paths), len(number)), np.float32)
    counts = np.zeros(len(subject.paths), np.int64)
    for row in read_rows(file, _COLUMNS, _MADE_BY):
        at = place.get(row.texts["path"])
        if at is None:
            continue
        name = row.texts["predicted"]
        if name not in number:
            hint = describe_unknown(name, subject.classes, "the classes are")
            raise DataError(f"{file}: line {row.line}: the data has no class {name}", hint)
        total[at] += _spread(file, row.line, row.texts["probability"], number[name], len(number))
        counts[at] += 1
    if not counts.any():
        raise DataError(f"{file} names none of the images of {subject.name}", _MADE_BY)
    means = (total / np.maximum(counts, 1)[:, None]).astype(np.float32)
    return Opinion("a network that has not seen it says", f"the answers in {file.name}", counts > 0, means)


def _spread(file: Path, line: int, text: str, predicted: int, count: int) -> np.ndarray:
    try:
        probability = float(text)
    except ValueError:
        probability = np.nan
    if not 0 <= probability <= 1:
        raise DataError(f"{file}: line {line}: expected a probability from 0 to 1; received: {text}", _MADE_BY)
    made = np.full(count, (1 - probability) / (count - 1), np.float32)
    made[predicted] = probability
    return made

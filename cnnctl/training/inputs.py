"""From a catalog and its decoded images to what a fit takes: splits, batches, the scaling of pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.config import Config
from cnnctl.data.augment import augmenter
from cnnctl.data.cache.decoded import Decoded
from cnnctl.data.catalog import Catalog
from cnnctl.data.split import SPLITS, TRAIN, VALIDATION
from cnnctl.data.statistics import channel_statistics
from cnnctl.models.build import SYMMETRIC, UNIT, Scaling
from cnnctl.training.feeding import Examples, Feed
from cnnctl.training.objective import class_weights, make_objective


@dataclass(frozen=True)
class Split:
    """The images of one split: their rows in the decoded images, and their class numbers, both int64 (images,)."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]


def split_rows(catalog: Catalog) -> dict[str, Split]:
    """The splits that have images."""
    number = {name: index for index, name in enumerate(catalog.classes)}
    labels = np.asarray(catalog.frame.label.map(number), np.int64)
    found = {}
    for name in SPLITS:
        chosen = (catalog.frame.split == name).to_numpy()
        if chosen.any():
            found[name] = Split(np.asarray(catalog.frame.index[chosen], np.int64), labels[chosen])
    return found


def scaling_of(config: Config, catalog: Catalog, decoded: Decoded) -> Scaling:
    """What is done to the pixels first; standardize takes the statistics of the training images."""
    match config.data.image.scaling:
        case "unit":
            return UNIT
        case "symmetric":
            return SYMMETRIC
        case "standardize":
            mean, deviation = channel_statistics(decoded.pixels, _rows(catalog, TRAIN))
            scale = tuple(1 / value for value in deviation)
            return Scaling(scale, tuple(-m * s for m, s in zip(mean, scale, strict=True)))


def _rows(catalog: Catalog, split: str) -> NDArray[np.int64]:
    """The rows of the decoded images that belong to a split; the frame's index counts all images found."""
    return np.asarray(catalog.frame.index[catalog.frame.split == split], np.int64)


def make_feeds(
    config: Config, classes: Sequence[str], splits: dict[str, Split], decoded: Decoded
) -> tuple[Feed, Feed | None]:
    """The batches of the training images, and of the validation images where there are any."""
    settings = config.train
    objective = make_objective(config, len(classes))

    def examples(split: Split, weighted: bool) -> Examples:
        weights = class_weights(settings.class_weight, classes, split.labels) if weighted else None
        return Examples(decoded.pixels, split.rows, split.labels, objective, weights)

    learned = examples(splits[TRAIN], weighted=True)
    vary = augmenter(config.augment, config.seed, learned.image, len(learned))
    training = Feed(learned, settings.batch_size, config.seed, vary)
    if VALIDATION not in splits:
        return training, None
    return training, Feed(examples(splits[VALIDATION], weighted=False), settings.batch_size)

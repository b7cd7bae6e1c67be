"""`cnnctl.Predictor`."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from cnnctl.api.runs import AnyRun, find
from cnnctl.data.decoder.images import Image, ImageError, ImageSpec, decode, from_pixels, read_image
from cnnctl.data.decoder.parallel import batches
from cnnctl.errors import UsageError
from cnnctl.formatting import printable
from cnnctl.inference import DEFAULT_TOP
from cnnctl.inference.answers import Prediction, predicted
from cnnctl.inference.model import load_classifier
from cnnctl.inference.sets import read_scores
from cnnctl.inference.stream import batch_size_for

Picture = str | Path | bytes | NDArray[np.uint8]
"""An image: its file, the content of one, or its pixels: uint8, height x width, alone or x 1, 3 (RGB) or 4 (RGBA)."""

_SHOWN = 30


class Predictions(list[Prediction]):
    """Predictions of several images; a notebook shows the first ones with their images."""

    def _repr_html_(self) -> str:
        more = f"<div>and {len(self) - _SHOWN:,} more</div>" if len(self) > _SHOWN else ""
        return "".join(one._repr_html_() for one in self[:_SHOWN]) + more


class Predictor:
    """A trained model in memory; it needs neither Keras nor TensorFlow, and threads may share it.

    Args:
        run: A run; the latest of the current folder when left out.
        threads: Those of one computation; every core when left out.
        unknown: Whether predictions say if an image is unlike all that the run was trained on.

    Raises:
        RunError: there is no such run, or its model cannot be used.

    Example: `Predictor("runs/photos/1").predict("cat.jpg").label == "cat"`
    """

    def __init__(self, run: AnyRun = None, *, threads: int | None = None, unknown: bool = True) -> None:
        if threads is not None and threads < 1:
            raise UsageError(f"expected at least one thread; received: threads={threads}")
        self._run = find(run)
        self._classifier = load_classifier(self._run, threads, tells_unknown=unknown)

    def __repr__(self) -> str:
        size = "x".join(map(str, self._classifier.spec.shape))
        return f"<Predictor of {printable(self._run.title)}: {len(self.classes):,} classes, images of {size}>"

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in label order."""
        return self._classifier.classes

    @property
    def image(self) -> ImageSpec:
        """What every image is made to be: `height`, `width`, `channels` and `fit`."""
        return self._classifier.spec

    @overload
    def predict(self, images: Picture, top: int = DEFAULT_TOP, coverage: float | None = None) -> Prediction: ...  # type: ignore[overload-overlap] # text

    @overload
    def predict(
        self, images: Iterable[Picture], top: int = DEFAULT_TOP, coverage: float | None = None
    ) -> list[Prediction]: ...

    def predict(
        self, images: Picture | Iterable[Picture], top: int = DEFAULT_TOP, coverage: float | None = None
    ) -> Prediction | list[Prediction]:
        """What the model says of an image, or of each of several; they may be of any size.

        Args:
            images: An image, or a list or generator of them; several in one array are `list(array)`.
            top: How many classes to name.
            coverage: In which share of cases, such as 0.95, the right class is to be in the `prediction_set` of an
                answer; without it, answers have none.

        Raises:
            RunError: a coverage is asked for, and the run has no prediction_sets.json.
            ImageError: an image cannot be read; the message says which and why.
        """
        if top < 1:
            raise UsageError(f"expected at least one class to name; received: top={top}")
        threshold = None if coverage is None else read_scores(self._run).threshold(coverage)
        if isinstance(images, str | Path | bytes | np.ndarray):
            return next(self._answers([images], top, threshold, keeps_images=True))
        keeps = isinstance(images, list | tuple)  # the caller has them all in memory; those of a generator go
        return Predictions(self._answers(images, top, threshold, keeps))

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The probability of each class, of images that have the model's size already.

        Args:
            images: uint8 (N, height, width, channels), RGB or grey, as `image` says.

        Returns:
            float32 (N, classes); rows sum to 1, unless an image may have several labels.

        Raises:
            ImageError: they are of another type or shape.
        """
        shape = self._classifier.spec.shape
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            expected = " x ".join(map(str, ("N", *shape)))
            received = f"{images.dtype} of {' x '.join(map(str, images.shape))}"
            raise ImageError(
                f"expected a uint8 array of {expected}; received: {received}", "predict accepts images of any size"
            )
        size = batch_size_for(self._classifier.spec)
        batches = [self._classifier.probabilities(images[at : at + size]) for at in range(0, len(images), size)]
        return np.concatenate(batches) if batches else np.zeros((0, len(self.classes)), np.float32)

    def _answers(
        self, images: Iterable[Picture], top: int, threshold: float | None, keeps_images: bool
    ) -> Iterator[Prediction]:
        """Batch by batch, so that memory does not grow with the number of images."""
        spec = self._classifier.spec
        waiting: deque[Picture] = deque()
        for batch in batches(self._read, _remembered(enumerate(images), waiting), batch_size_for(spec)):
            for row, foreign in self._classifier.answers(batch):
                image = waiting.popleft()
                see = partial(_decoded, image, spec) if keeps_images or isinstance(image, str | Path) else None
                said = predicted(row, self.classes, top, threshold, foreign, self._classifier.thresholds)
                yield replace(said, see=see)

    def _read(self, numbered: tuple[int, Picture]) -> Image:
        number, image = numbered
        try:
            return _decoded(image, self._classifier.spec)
        except ImageError as error:
            name = str(image) if isinstance(image, str | Path) else f"image {number}"
            raise ImageError(f"{name}: {error.message}", error.hint) from None


def _remembered(numbered: Iterable[tuple[int, Picture]], seen: "deque[Picture]") -> Iterator[tuple[int, Picture]]:
    for number, image in numbered:
        seen.append(image)
        yield number, image


def _decoded(image: Picture, spec: ImageSpec) -> Image:
    """An image as the network gets it."""
    if isinstance(image, str | Path):
        return read_image(image, spec)
    if isinstance(image, np.ndarray):
        return from_pixels(image, spec)
    if not isinstance(image, bytes):
        kind = type(image).__name__
        hint = "for a PIL image: numpy.asarray(image.convert('RGB'))"
        raise ImageError(f"expected a path, bytes or an array; received: {kind}", hint)
    return decode(image, spec)

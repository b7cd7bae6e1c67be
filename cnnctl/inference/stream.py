"""Image files -> probabilities, decoding in threads while the model computes; memory stays flat in their number."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.images import Image, ImageError, ImageSpec, read_image
from cnnctl.inference.model import Classifier

BATCH = 64


@dataclass(frozen=True)
class Answer:
    """What the model says of one file.

    Attributes:
        path: As it was given.
        probabilities: float32 (classes,); None where the image could not be read.
        error: The reason, where it could not be read.
    """

    path: str
    probabilities: NDArray[np.float32] | None
    error: str | None = None


def classify(classifier: Classifier, paths: Iterable[str], batch_size: int = BATCH) -> Iterator[Answer]:
    """The model's answer for each file, in the order given.

    Args:
        classifier: The model.
        paths: Image files; read lazily, a few batches ahead.
        batch_size: Images that the model takes at once.
    """
    paths = iter(paths)
    workers = os.cpu_count() or 1
    first = list(islice(paths, 1))
    second = list(islice(paths, 1))
    if first and not second:  # a single image needs no threads
        yield from _answers(classifier, first, [_read(first[0], classifier.spec)])
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[tuple[list[str], Future[list[Image | ImageError]]]] = deque()
        remaining = iter((*first, *second))
        exhausted = False
        while pending or not exhausted:
            while not exhausted and len(pending) < 2 * workers:
                chunk = list(islice(remaining, batch_size))
                chunk += islice(paths, batch_size - len(chunk))
                exhausted = not chunk
                if chunk:
                    pending.append((chunk, pool.submit(_read_all, chunk, classifier.spec)))
            if pending:
                names, decoded = pending.popleft()
                yield from _answers(classifier, names, decoded.result())


def _read(path: str, spec: ImageSpec) -> Image | ImageError:
    try:
        return read_image(path, spec)
    except ImageError as error:
        return error


def _read_all(paths: list[str], spec: ImageSpec) -> list[Image | ImageError]:
    return [_read(path, spec) for path in paths]


def _answers(classifier: Classifier, paths: list[str], decoded: list[Image | ImageError]) -> Iterator[Answer]:
    good = [image for image in decoded if not isinstance(image, ImageError)]
    rows = iter(classifier.probabilities(np.stack(good)) if good else ())
    for path, image in zip(paths, decoded, strict=True):
        if isinstance(image, ImageError):
            yield Answer(path, None, image.message + (f" ({image.hint})" if image.hint else ""))
        else:
            yield Answer(path, next(rows))

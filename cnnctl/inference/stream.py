"""Image files -> probabilities: each thread decodes a batch and computes it; memory stays flat in their number."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image, ImageError, ImageSpec, decode, read_image
from cnnctl.data.file_names import is_address
from cnnctl.inference import DEFAULT_TOP
from cnnctl.inference.answers import Answer, Prediction, predicted
from cnnctl.inference.inputs import Unfit
from cnnctl.inference.model import Classifier
from cnnctl.system.cores import available_cores

if TYPE_CHECKING:
    from cnnctl.inference.unknown import Foreignness

BATCH = 64
"""Images that the model takes at once, up to 64x64 pixels; larger images come in smaller batches."""

_FETCHED_AT_ONCE = 16


def batch_size_for(spec: ImageSpec) -> int:
    """A batch whose pixels are no more than those of 64 images of 64x64."""
    return max(1, min(BATCH, BATCH * 64 * 64 // (spec.height * spec.width)))


def classify(
    classifier: Classifier,
    paths: Iterable[str],
    batch_size: int | None = None,
    top: int = DEFAULT_TOP,
    threshold: float | None = None,
) -> Iterator[Answer]:
    """The model's answer for each file, in the order given; files are read lazily, a few batches ahead.

    A model that computes in a single thread is the quickest for many files. The batch size is by that of the images
    when left out. `top` and `threshold` are as `predicted` takes them.
    """
    size = batch_size or batch_size_for(classifier.spec)
    paths = iter(paths)
    workers = available_cores()
    turn = threading.Lock()

    def answer(row: NDArray[np.float32], foreign: "Foreignness | None") -> Prediction:
        return predicted(row, classifier.classes, top, threshold, foreign, classifier.thresholds)

    first = list(islice(paths, 2))
    if len(first) < 2:  # a single image needs no threads
        yield from _answers(classifier, first, answer, None)
        return
    remaining = chain(first, paths)
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[list[Answer]]] = deque()
        exhausted = False
        while pending or not exhausted:
            while not exhausted and len(pending) < 2 * workers:
                chunk = list(islice(remaining, size))
                exhausted = not chunk
                if chunk:
                    pending.append(pool.submit(_answers, classifier, chunk, answer, turn))
            if pending:
                yield from pending.popleft().result()


def _read_all(paths: list[str], spec: ImageSpec) -> list[Image | ImageError]:
    """Images at addresses are fetched several at once, since each is waited for."""
    if len(paths) < 2 or not any(is_address(path) for path in paths):
        return [_read(path, spec) for path in paths]
    with ThreadPoolExecutor(_FETCHED_AT_ONCE) as pool:
        return list(pool.map(lambda path: _read(path, spec), paths))


def _read(path: str, spec: ImageSpec) -> Image | ImageError:
    if isinstance(path, Unfit):
        return ImageError(path.reason)
    try:
        if is_address(path):
            from cnnctl.inference.remote import read_remote

            return decode(read_remote(path, spec.max_bytes), spec)
        return read_image(path, spec)
    except ImageError as error:
        return error


def _are_small(paths: list[str]) -> bool:
    from cnnctl.data.decoder.parallel import are_small

    return are_small(paths)


def _answers(
    classifier: Classifier,
    paths: list[str],
    answer: "Callable[[NDArray[np.float32], Foreignness | None], Prediction]",
    turn: "threading.Lock | None",
) -> list[Answer]:
    """Small images are decoded by one thread at a time, in its `turn`: two would wait for each other."""
    with nullcontext() if turn is None or not _are_small(paths) else turn:
        decoded = _read_all(paths, classifier.spec)
    good = [image for image in decoded if not isinstance(image, ImageError)]
    rows = iter(classifier.answers(np.stack(good)) if good else ())
    return [
        Answer(path, None, image.reason) if isinstance(image, ImageError) else Answer(path, answer(*next(rows)))
        for path, image in zip(paths, decoded, strict=True)
    ]

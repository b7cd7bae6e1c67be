"""The doctor's way through a data set: pixels first, then, where there is a run, what its network makes of them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cnnctl.data.cache.decoded import decode_images
from cnnctl.data.catalog import image_spec
from cnnctl.errors import DataError
from cnnctl.examining.findings import Diagnosis, in_order
from cnnctl.examining.labels import Opinion, confused_classes, contradicted
from cnnctl.examining.pixels import look_at_pixels
from cnnctl.examining.subject import Subject

Progress = Callable[[str, int, int], None]
"""Called with (step, images done, images in all)."""

_WITHOUT_A_RUN = "images unlike all others: cnnctl doctor RUN looks for them, once this config is trained"
_WITHOUT_ANSWERS = "labels that are contradicted, confused classes, and " + _WITHOUT_A_RUN


def examine(subject: Subject, predictions: Path | None, progress: Progress) -> Diagnosis:
    """Look for what may be wrong in images and labels.

    `predictions` is a CSV of what networks that have not seen the images said of them.

    Raises:
        CnnctlError: nothing can be decoded, the run has no usable model, or the predictions are of other images.
    """
    if not subject.paths:
        raise DataError(f"{subject.name} has no images")
    opinions: list[Opinion] = []
    if predictions is not None:
        from cnnctl.examining.predictions import read_predictions

        opinions.append(read_predictions(predictions, subject))
    data = subject.config.data
    decoded = decode_images(subject.paths, image_spec(data.image), data.cache, partial(progress, "decoding"))
    if len(decoded.failures) == len(subject.paths):
        path, reason = subject.paths[0], decoded.failures[0]
        raise DataError(f"none of the {len(subject.paths):,} images can be decoded; {path}: {reason}")

    found, usable = look_at_pixels(subject, decoded, progress)
    left_out = [] if subject.run is not None else [_WITHOUT_A_RUN if opinions else _WITHOUT_ANSWERS]
    if subject.run is not None:
        from cnnctl.examining.network import ask_the_network

        asked = ask_the_network(subject, decoded, usable, opinions, progress)
        opinions, left_out = list(asked.opinions), list(asked.left_out)
        found += asked.findings
    found += [one for opinion in opinions for one in contradicted(opinion, subject.labels, subject.classes)]
    confused = confused_classes(opinions, subject.labels, subject.classes)
    judged = tuple(f"labels of {int(one.chosen.sum()):,} images by {one.how}" for one in opinions)
    return Diagnosis(subject, in_order(found), confused, judged, tuple(left_out), decoded.pixels, decoded.digests)

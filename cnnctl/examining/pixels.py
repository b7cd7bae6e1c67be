"""What pixels alone tell: images that cannot be decoded, near-duplicates, one colour, blur and exposure."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.cache.decoded import Decoded
from cnnctl.examining.alike import findings_of_groups
from cnnctl.examining.duplicates import find_groups
from cnnctl.examining.findings import BLURRED, BRIGHT, DARK, DROP, EMPTY, LOOK, UNREADABLE, Finding
from cnnctl.examining.hashes import greys, hashes_of
from cnnctl.examining.quality import Quality, measure
from cnnctl.examining.subject import Subject

Rows = NDArray[np.int64]

_VALUES_AT_ONCE = 4_000_000
_USUAL = 0.1
"""The share of all images from which on a look, such as dark, is how these images are and no finding."""

_LEAST_RANGE = 16
"""The range of values, of 255, below which a hash would say what noise there is."""


def look_at_pixels(
    subject: Subject, decoded: Decoded, progress: Callable[[str, int, int], None]
) -> tuple[list[Finding], Rows]:
    """What is found, and the rows of the images that are worth a further look: those that show anything."""
    found = [
        Finding(UNREADABLE, row, reason, DROP, score=-float(place))
        for place, (row, reason) in enumerate(decoded.failures.items())
    ]
    decodable = np.setdiff1d(np.arange(len(subject.paths)), list(decoded.failures))
    hashes, quality = _measured(decoded, decodable, partial(progress, "looking at pixels"))
    empty = quality.empty()
    found += [Finding(EMPTY, int(row), "all pixels have one colour", DROP) for row in decodable[empty]]
    found += _unusual(quality, decodable)
    poor = {one.row for one in found}
    has_shapes = quality.ranges >= _LEAST_RANGE
    groups = find_groups(decoded.pixels, decodable[has_shapes], hashes[has_shapes])
    return found + findings_of_groups(groups, subject, decoded, poor), decodable[~empty]


def _measured(decoded: Decoded, rows: Rows, progress: Callable[[int, int], None]) -> tuple[NDArray[np.uint64], Quality]:
    hashes = np.zeros(len(rows), np.uint64)
    figures = np.zeros((4, len(rows)), np.float32)
    size = max(1, _VALUES_AT_ONCE // math.prod(decoded.pixels.shape[1:]))
    for start in range(0, len(rows), size):
        images = decoded.pixels[rows[start : start + size]]
        hashes[start : start + size] = hashes_of(greys(images))
        figures[:, start : start + size] = measure(images)
        progress(min(start + size, len(rows)), len(rows))
    return hashes, Quality(*figures)


def _unusual(quality: Quality, rows: Rows) -> list[Finding]:
    """Blurred, dark and bright images, where they are few."""
    kinds = (
        (BLURRED, quality.blurred(), quality.blur(), "{:.1f} deviations less sharp than usual"),
        (DARK, quality.dark(), -quality.brightest, "nearly all pixels are below {:.0%} of the brightest"),
        (BRIGHT, quality.bright(), quality.darkest, "nearly all pixels are above {:.0%} of the brightest"),
    )
    return [
        Finding(kind, int(rows[at]), about.format(abs(scores[at])), LOOK, score=float(scores[at]))
        for kind, chosen, scores, about in kinds
        if chosen.sum() <= _USUAL * len(rows)
        for at in np.flatnonzero(chosen)
    ]

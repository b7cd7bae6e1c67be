"""Training images as the network sees them: the file with what a crop cuts away, the fitted image, its variations."""

import itertools
import os
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cnnctl.config import Config
from cnnctl.data.augment import augmenter
from cnnctl.data.catalog import image_spec
from cnnctl.data.decoder.images import Image, ImageError, ImageSpec, crop_window, decode, decode_whole, fit
from cnnctl.data.decoder.parallel import in_threads
from cnnctl.data.decoder.reading import read_bytes
from cnnctl.pictures import style
from cnnctl.pictures.canvas import Canvas, faded_around, resized, scaled_span
from cnnctl.system.digests import digest

_CELL, _GAP, _CAPTION = 1.3, 0.14, 0.2
_PIXELS = round(_CELL * style.DPI)
_CUT = 0.75
"""How much of white lies over what is cut away."""


@dataclass(frozen=True)
class Sample:
    """One training image and what becomes of it; `size` is (height, width) of the file, None where it cannot be used.

    `pictures` are RGB: the file's, the fitted one, then the variations. `captions` are the labels of the variations,
    such as `cat` or `cat 0.62, dog 0.38`. `kept` is the share of the file's area that the network gets to see, 1
    without a crop.
    """

    path: str
    label: str
    size: tuple[int, int] | None
    pictures: tuple[Image, ...]
    captions: tuple[str, ...]
    kept: float = 1.0
    error: str | None = None


OUTSIDE = "it lies outside the data folders of the config"
UNKNOWN = "the run was trained on another file of that name, if on any"


def make_samples(
    config: Config,
    paths: Sequence[str],
    labels: Sequence[str],
    count: int,
    epochs: int,
    folders: Sequence[Path] | None = None,
    known: Container[bytes] | None = None,
) -> list[Sample]:
    """Training images of all classes in turn, varied as training varies them in its first epochs.

    There are `count` images, where there are so many, and a variation for each epoch, none without an augment section.
    With `folders` no image is read that lies elsewhere; its error says `OUTSIDE`. With `known` none is shown whose file
    has another digest (see Run.read_digests); its error says `UNKNOWN`.
    """
    spec = image_spec(config.data.image)
    roots = None if folders is None else [folder.resolve() for folder in folders]

    @lru_cache(maxsize=1024)
    def image_of(number: int) -> Image:
        try:
            return decode(_read(paths[number], spec, roots, known), spec)
        except ImageError as error:  # its own picture was read before: this one is mixed into it
            raise ImageError(f"its partner {Path(paths[number]).name}: {error.message}") from None

    vary = augmenter(config.augment, config.seed, image_of, len(paths))

    def sample(number: int) -> Sample:
        path, label = paths[number], labels[number]
        try:
            whole = decode_whole(_read(path, spec, roots, known), spec)
            pictures, captions = [resized(fit(whole, spec), _PIXELS)], []
            for epoch in range(epochs if vary is not None else 0):
                assert vary is not None
                varied = vary(number, epoch)
                pictures.append(resized(varied.image, _PIXELS))
                captions.append(_shares([(labels[which], share) for which, share in varied.shares]))
        except ImageError as error:
            return Sample(path, label, None, (), (), error=error.message)
        file, kept = _with_cut(whole, spec)
        height, width = whole.shape[:2]
        return Sample(path, label, (height, width), (file, *pictures), tuple(captions), kept)

    return in_threads(sample, choose(labels, count))


def _read(path: str, spec: ImageSpec, roots: Sequence[Path] | None, known: Container[bytes] | None) -> bytes:
    """The content of a file, which is in one of the folders `roots`, and of a `known` digest, where these are given."""
    if roots is not None:
        path = os.path.realpath(path)
        if not any(Path(path).is_relative_to(root) for root in roots):
            raise ImageError(OUTSIDE)
    content = read_bytes(path, spec.max_bytes)
    if known is not None and digest(content) not in known:
        raise ImageError(UNKNOWN)
    return content


def choose(labels: Sequence[str], count: int) -> list[int]:
    """The numbers of the first image of each class, then of the second of each, and so on; sorted by class."""
    ranks_of: dict[str, Iterator[int]] = defaultdict(itertools.count)
    ranks = [(next(ranks_of[label]), label, number) for number, label in enumerate(labels)]
    return [number for _, label, number in sorted(sorted(ranks)[:count], key=lambda rank: (rank[1], rank[0]))]


def _shares(parts: Sequence[tuple[str, float]]) -> str:
    """`cat`, or `cat 0.62, dog 0.38` where images were mixed."""
    total: dict[str, float] = {}
    for label, share in parts:
        total[label] = total.get(label, 0.0) + share
    if len(total) == 1:
        return next(iter(total))
    ordered = sorted(total.items(), key=lambda item: -item[1])
    return ", ".join(f"{label} {share:.2f}" for label, share in ordered if share >= 0.005)


def _with_cut(whole: Image, spec: ImageSpec) -> tuple[Image, float]:
    """The file's picture, small, what a crop cuts away made pale; and the share of its area that is left."""
    height, width = whole.shape[:2]
    small = resized(whole, _PIXELS, smooth=True)
    if spec.fit != "crop":
        return small, 1.0
    top, left, crop_height, crop_width = crop_window(height, width, spec)
    kept = crop_height * crop_width / (height * width)
    if kept == 1.0:
        return small, kept
    rows = scaled_span(top, top + crop_height, small.shape[0] / height)
    columns = scaled_span(left, left + crop_width, small.shape[1] / width)
    return faded_around(small, rows, columns, _CUT), kept


def preview_figure(config: Config, samples: Sequence[Sample], title: str) -> Any:
    """A row for each image: the file, what the network gets, and a variation for each epoch."""
    spec = image_spec(config.data.image)
    columns = max([2, *(len(one.pictures) for one in samples)])
    step = _CELL + _CAPTION + _GAP
    width = max(style.NARROWEST, 2 * style.MARGIN + columns * (_CELL + _GAP) - _GAP)
    head = style.HEAD + 0.3
    height = head + len(samples) * step + 0.1
    canvas = Canvas(width, height)
    titles = ["file", "network's input", *(f"epoch {epoch + 1}" for epoch in range(columns - 2))]
    for column, text in enumerate(titles):
        canvas.write(text, _middle(column), style.HEAD + 0.08, style.TEXT)
    for row, one in enumerate(samples):
        top = head + row * step
        if one.error is not None:
            canvas.write(style.fitted(one.error, _CELL, style.SMALL), _middle(0), top + _CELL / 2)
        for column, picture in enumerate(one.pictures):
            canvas.paste(picture, _middle(column), top + (_CELL - picture.shape[0] / style.DPI) / 2)
        captions = [Path(one.path).name, one.label, *one.captions]
        for column, text in enumerate(captions[: max(2, len(one.pictures))]):
            fitted = style.fitted(text, _CELL + 0.5 * _GAP, style.SMALL, keep_end=column == 0)
            colour = style.GREY if column == 0 else "black"
            canvas.write(style.left_to_right(fitted), _middle(column), top + _CELL + 0.03, colour=colour)
    style.heading(canvas.figure, "Training images as the network sees them", title, _facts(config, samples, spec))
    return canvas.finish()


def _facts(config: Config, samples: Sequence[Sample], spec: ImageSpec) -> str:
    kept = [one.kept for one in samples if one.error is None]
    cut = f"; pale: cut away, up to {1 - min(kept):.0%} of a picture" if kept and min(kept) < 1 else ""
    steps = ", ".join(step.kind for step in config.augment) or "no augmentation"
    return f"{spec.height}x{spec.width}x{spec.channels}, fit: {spec.fit}{cut}; {steps}"


def _middle(column: int) -> float:
    return style.MARGIN + column * (_CELL + _GAP) + _CELL / 2

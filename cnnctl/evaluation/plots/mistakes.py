"""The most confident mistakes, with their pictures."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnctl.data.images import Image, ImageError, ImageSpec, read_image
from cnnctl.evaluation.judged import Judged
from cnnctl.pictures import style

SHOWN = 20
_COLUMNS = 5
_PICTURE, _GAP, _CAPTION = 1.5, 0.22, 0.56
_PIXELS = round(_PICTURE * style.DPI)  # of the longer side of a picture: it is drawn as it is
_BLANK = np.full((_PIXELS, _PIXELS, 3), 230, np.uint8)


@dataclass(frozen=True)
class Mistake:
    """One image that was taken for something else.

    Attributes:
        path: As it was given.
        truth: Its class.
        predicted: The answer.
        probability: Of the answer.
    """

    path: str
    truth: str
    predicted: str
    probability: float


def most_confident(judged: Judged) -> list[Mistake]:
    """The mistakes with the most probable answers, the most probable first; equal ones in the images' order."""
    answers = judged.probabilities.argmax(axis=1)
    chances = judged.probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != judged.truth)
    classes = judged.metrics.classes
    return [
        Mistake(judged.paths[at], classes[judged.truth[at]], classes[answers[at]], float(chances[at]))
        for at in wrong[np.argsort(-chances[wrong], kind="stable")][:SHOWN]
    ]


def mistakes_figure(judged: Judged) -> Any:
    """Pictures with the true class, the answer, its probability and the file's name."""
    shown = most_confident(judged)
    images = judged.metrics.images
    wrong = images - round(judged.metrics.accuracy * images)
    rows = -(-len(shown) // _COLUMNS)
    step = _PICTURE + _CAPTION
    width = 2 * style.MARGIN + _COLUMNS * (_PICTURE + _GAP) - _GAP
    height = style.HEAD + 0.05 + rows * step + 0.1
    figure = style.new_figure(width, height)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        pictures = list(pool.map(lambda mistake: _picture(mistake.path, judged.spec), shown))
    canvas = np.full((round(height * style.DPI), round(width * style.DPI), 3), 255, np.uint8)
    for place, (mistake, picture) in enumerate(zip(shown, pictures, strict=True)):
        row, column = divmod(place, _COLUMNS)
        left = style.MARGIN + column * (_PICTURE + _GAP)
        foot = style.HEAD + 0.05 + row * step + _PICTURE
        _caption(figure, left + _PICTURE / 2, height - foot - 0.06, mistake)
        if isinstance(picture, str):
            _say(figure, left + _PICTURE / 2, height - foot + _PICTURE / 2, picture)
            picture = _BLANK
        _paste(canvas, picture, round(left * style.DPI), round(foot * style.DPI))
    figure.figimage(canvas, origin="upper", zorder=-1)
    facts = f"no mistakes among {images:,} images"
    if wrong:
        kinds = "true class → answer and its probability"
        facts = f"{len(shown):,} of {wrong:,} mistakes among {images:,} images; {kinds}"
    style.heading(figure, "The most confident mistakes", judged.title, facts)
    return figure


def _picture(path: str, spec: ImageSpec) -> Image | str:
    """The image as the model gets it, but larger or smaller; the reason where it can no longer be read."""
    scale = _PIXELS / max(spec.height, spec.width)
    height, width = max(1, round(spec.height * scale)), max(1, round(spec.width * scale))
    try:
        return read_image(path, replace(spec, height=height, width=width))
    except ImageError as error:
        return error.message


def _paste(canvas: Image, picture: Image, left: int, foot: int) -> None:
    """Lay a picture into its square, in the middle of the lower edge."""
    high, wide, _ = picture.shape
    left += (_PIXELS - wide) // 2
    canvas[foot - high : foot, left : left + wide] = picture


def _say(figure: Any, centre: float, middle: float, reason: str) -> None:
    """Why there is no picture."""
    width, height = figure.get_size_inches()
    options = {"ha": "center", "va": "center", "fontsize": style.SMALL, "color": style.GREY}
    figure.text(centre / width, middle / height, style.fitted(reason, 0.95 * _PICTURE, style.SMALL), **options)


def _caption(figure: Any, centre: float, top: float, mistake: Mistake) -> None:
    """The classes, the probability and the file's name, under a picture; lengths in inches."""
    width, height = figure.get_size_inches()
    room = _PICTURE + 0.5 * _GAP
    name = style.fitted(Path(mistake.path).name, room, style.SMALL, keep_end=True)
    for line, (text, colour) in enumerate(((_answer(mistake, room), "black"), (name, style.GREY))):
        options = {"ha": "center", "va": "top", "fontsize": style.SMALL, "color": colour}
        figure.text(centre / width, (top - line * 0.155) / height, text, **options)


def _answer(mistake: Mistake, room: float) -> str:
    """`cat → dog  97.0%` in so many inches; a name that is short leaves its room to the other one."""
    chance = f"  {mistake.probability:.1%}"
    room -= style.width_of(f" → {chance}", style.SMALL)
    names = [style.one_line(name) for name in (mistake.truth, mistake.predicted)]
    narrower = min(style.width_of(name[:100], style.SMALL) for name in names)
    most = room - min(narrower, room / 2)  # of which two long names get a half each
    truth, predicted = (style.left_to_right(style.fitted(name, most, style.SMALL)) for name in names)
    return f"{truth} → {predicted}{chance}"

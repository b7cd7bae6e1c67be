"""The most confident mistakes, with their pictures."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnctl.data.decoder.images import Image, ImageError, ImageSpec, read_image
from cnnctl.data.decoder.parallel import in_threads
from cnnctl.data.several import joined, names_of
from cnnctl.evaluation.score import ScoredSplit
from cnnctl.pictures import style
from cnnctl.pictures.canvas import Canvas

SHOWN = 20
_COLUMNS = 5
_PICTURE, _GAP, _CAPTION = 1.5, 0.22, 0.56
_PIXELS = round(_PICTURE * style.DPI)  # of the longer side of a picture: it is drawn as it is
_BLANK = np.full((_PIXELS, _PIXELS, 3), 230, np.uint8)


@dataclass(frozen=True)
class Mistake:
    """One image, by its path as it was given, that was taken for something else; `probability` is the answer's.

    Of several labels, `truth` are those that it lacks and `predicted` those that it got without having them.
    """

    path: str
    truth: str
    predicted: str
    probability: float
    several: bool = False


def most_confident(scored: ScoredSplit) -> list[Mistake]:
    """The mistakes with the most probable answers, the most probable first; equal ones in the images' order."""
    wrong = [row for row in scored.rows() if not row[-1]]
    chances = np.array([chance for *_, chance, _ in wrong])
    shown = [wrong[at] for at in np.argsort(-chances, kind="stable")[:SHOWN]]
    if scored.several is None:
        return [Mistake(path, truth, answer, chance) for path, truth, answer, chance, _ in shown]
    found = []
    for path, *texts, chance, _ in shown:
        truth, answer = (set(names_of(str(text))) for text in texts)
        found.append(Mistake(path, joined(truth - answer), joined(answer - truth), float(chance), several=True))
    return found


def mistakes_figure(scored: ScoredSplit) -> Any:
    """Pictures with the true class, the answer, its probability and the file's name."""
    shown = most_confident(scored)
    images = scored.metrics.images
    wrong = images - round(scored.metrics.accuracy * images)
    rows = -(-len(shown) // _COLUMNS)
    step = _PICTURE + _CAPTION
    width = 2 * style.MARGIN + _COLUMNS * (_PICTURE + _GAP) - _GAP
    height = style.HEAD + 0.05 + rows * step + 0.1
    canvas = Canvas(width, height)
    pictures = in_threads(lambda mistake: _picture(mistake.path, scored.spec), shown)
    for place, (mistake, picture) in enumerate(zip(shown, pictures, strict=True)):
        row, column = divmod(place, _COLUMNS)
        middle = style.MARGIN + column * (_PICTURE + _GAP) + _PICTURE / 2
        foot = style.HEAD + 0.05 + row * step + _PICTURE
        if isinstance(picture, str):
            reason = style.fitted(picture, 0.95 * _PICTURE, style.SMALL)
            canvas.write(reason, middle, foot - _PICTURE / 2 - 0.06, colour=style.GREY)
            picture = _BLANK
        canvas.paste(picture, middle, foot - picture.shape[0] / style.DPI)
        _caption(canvas, middle, foot + 0.06, mistake)
    facts = f"no mistakes among {images:,} images"
    if wrong:
        kinds = "true class → answer and its probability"
        if scored.several is not None:
            kinds = "− label not found, + label too many, and the probability of the answer"
        facts = f"{len(shown):,} of {wrong:,} mistakes among {images:,} images; {kinds}"
    style.heading(canvas.figure, "The most confident mistakes", scored.title, facts)
    return canvas.finish()


def _picture(path: str, spec: ImageSpec) -> Image | str:
    """The image as the model gets it, but larger or smaller; the reason where it can no longer be read."""
    scale = _PIXELS / max(spec.height, spec.width)
    height, width = max(1, round(spec.height * scale)), max(1, round(spec.width * scale))
    try:
        return read_image(path, replace(spec, height=height, width=width))
    except ImageError as error:
        return error.message


def _caption(canvas: Canvas, centre: float, top: float, mistake: Mistake) -> None:
    """The classes, the probability and the file's name, under a picture; lengths in inches."""
    room = _PICTURE + 0.5 * _GAP
    canvas.write(_answer(mistake, room), centre, top)
    name = style.fitted(Path(mistake.path).name, room, style.SMALL, keep_end=True)
    canvas.write(name, centre, top + 0.155, colour=style.GREY)


def _answer(mistake: Mistake, room: float) -> str:
    """`cat → dog  97.0%` in so many inches; a name that is short leaves its room to the other one."""
    chance = f"  {mistake.probability:.1%}"
    if mistake.several:
        parts = [
            f"{sign}{name}"
            for sign, label in (("−", mistake.truth), ("+", mistake.predicted))
            for name in names_of(label)
        ]
        room -= style.width_of(chance, style.SMALL)
        return style.left_to_right(style.fitted(" ".join(parts), room, style.SMALL)) + chance
    room -= style.width_of(f" → {chance}", style.SMALL)
    names = [style.one_line(name) for name in (mistake.truth, mistake.predicted)]
    narrower = min(style.width_of(name[:100], style.SMALL) for name in names)
    most = room - min(narrower, room / 2)  # of which two long names get a half each
    truth, predicted = (style.left_to_right(style.fitted(name, most, style.SMALL)) for name in names)
    return f"{truth} → {predicted}{chance}"

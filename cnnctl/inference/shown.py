"""A prediction in a notebook: the image as the network sees it, the answer, and the likeliest classes."""

import html
from base64 import b64encode
from collections.abc import Callable, Sequence

from cnnctl.data.decoder.images import Image, opencv
from cnnctl.errors import CnnctlError
from cnnctl.formatting import percent, printable

_SIDE = 112
"""Pixels of the width of an image on the page."""


def prediction_html(
    answered: tuple[str, float],
    others: Sequence[tuple[str, float]],
    unknown: bool,
    within: Sequence[str] | None,
    see: Callable[[], Image] | None,
) -> str:
    """It as HTML that loads nothing; every text in it is escaped.

    Args:
        answered: The answer for people with its probability.
        others: Other classes with theirs.
        unknown: Whether the image is unlike the training images.
        within: The prediction set.
        see: Reads the image.
    """
    label, probability = answered
    answer = f"<b>{_text(label)}</b> ({percent(probability)})"
    if unknown:
        answer = f"<b>unknown</b>: unlike the training images; else {answer}"
    if within is not None:
        answer += f"<br>set: {_text(', '.join(within))}"
    rows = "".join(f"<tr><td>{_text(name)}</td><td>{percent(chance)}</td></tr>" for name, chance in others)
    beside = f"<div>{answer}{rows and f'<table>{rows}</table>'}</div>"
    shown = "" if see is None else _image(see, label)
    return f'<div style="display: inline-flex; gap: 1em; margin: 0.5em 1em 0.5em 0">{shown}{beside}</div>'


def _text(text: str) -> str:
    return html.escape(printable(text))


def _image(see: Callable[[], Image], label: str) -> str:
    """The image; nothing where its file can no longer be read."""
    try:
        pixels = see()
    except CnnctlError:
        return ""
    in_order = pixels if pixels.shape[2] == 1 else pixels[:, :, ::-1]
    content = b64encode(opencv().imencode(".png", in_order)[1].tobytes()).decode()
    style = f"width: {_SIDE}px; align-self: start; image-rendering: pixelated"
    return f'<img src="data:image/png;base64,{content}" alt="{_text(label)}" style="{style}">'

"""Templates filled in, everything escaped."""

import base64
from typing import Any

from cnnctl.data.decoder.headers import dimensions, image_format
from cnnctl.data.decoder.images import opencv
from cnnctl.system.packages import insist_on
from cnnctl.version import __version__

SMALL = 120_000
"""Bytes of a PNG file that goes into the page as it is."""

_QUALITY = 82
_WIDE = 1.5
"""Of a picture that has a row of its own: its width by its height."""
_LONG = 20
"""Letters of the longest word that never is broken on a page: a phone shows it whole."""

_KEPT = "\n\t\N{NO-BREAK SPACE}\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
"""What is no printable character to Python, and all the same belongs to words, emojis and lines."""


def render(template: str, **values: Any) -> str:
    """The HTML document that a file of templates/ makes of the values that it names; texts are escaped.

    Raises:
        MachineError: Jinja2 is not installed.
    """
    insist_on("jinja2")
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cnnctl.pictures"),
        autoescape=True,
        finalize=_legible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["picture"] = picture
    environment.filters["compact"] = _compact
    environment.tests |= {"wide": _is_wide, "of_long_words": _has_long_words}
    return environment.get_template(template).render(version=__version__, **values) + "\n"


def _compact(content: bytes) -> str:
    kind, packed = compact(content)
    return picture(packed, kind)


def _is_wide(content: bytes) -> bool:
    """Whether a picture would be too small beside another one."""
    height_width = dimensions(content, image_format(content) or "")
    return height_width is not None and height_width[1] > _WIDE * height_width[0]


def _has_long_words(text: str) -> bool:
    return any(len(word) > _LONG for word in text.split())


def _legible(value: Any) -> Any:
    """Text without what cannot be shown, cannot be written as UTF-8, or would turn round the words beside it."""
    if not isinstance(value, str) or value.isprintable():
        return value
    shown = "".join(char if char in _KEPT or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value)
    return type(value)(shown)


def picture(content: bytes, kind: str = "png") -> str:
    """An image file as the address of an <img>."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def compact(content: bytes) -> tuple[str, bytes]:
    """A PNG file as (format, content) for a page: one with photos in it is much smaller as WebP."""
    import numpy as np

    if len(content) <= SMALL:
        return "png", content
    cv2 = opencv()
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        done, packed = cv2.imencode(".webp", pixels, (cv2.IMWRITE_WEBP_QUALITY, _QUALITY))
    except cv2.error:  # it is no picture, or one of more than 16,383 pixels a side
        return "png", content
    return ("webp", packed.tobytes()) if done and 0 < packed.size < len(content) else ("png", content)

"""Templates filled in, everything escaped."""

import base64
from typing import Any

from cnnctl import __version__
from cnnctl.pages.compact import compact

_KEPT = "\n\t\N{NO-BREAK SPACE}\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
"""What is no printable character to Python, and all the same belongs to words, emojis and lines."""


def render(template: str, **values: Any) -> str:
    """A page.

    Args:
        template: A file of templates/.
        values: What it names. Texts are escaped.

    Returns:
        The whole HTML document.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cnnctl.pages"),
        autoescape=True,
        finalize=_legible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["picture"] = picture
    environment.filters["compact"] = _compact
    return environment.get_template(template).render(version=__version__, **values) + "\n"


def _compact(content: bytes) -> str:
    kind, packed = compact(content)
    return picture(packed, kind)


def _legible(value: Any) -> Any:
    """Text without what cannot be shown, cannot be written as UTF-8, or would turn round the words beside it."""
    if not isinstance(value, str) or value.isprintable():
        return value
    shown = "".join(char if char in _KEPT or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value)
    return type(value)(shown)


def picture(content: bytes, kind: str = "png") -> str:
    """An image file as the address of an <img>."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"

"""Templates filled in, everything escaped."""

import base64
from typing import Any

from cnnctl import __version__


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
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["picture"] = picture
    return environment.get_template(template).render(version=__version__, **values) + "\n"


def picture(content: bytes, kind: str = "png") -> str:
    """An image file as the address of an <img>."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"

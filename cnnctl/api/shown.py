"""A value that a command would print."""

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from cnnctl.errors import RunError
from cnnctl.runs import Run
from cnnctl.terminal.render import html_of, text_of

Picture = tuple[str, bytes]
"""What a picture shows, and the content of its PNG file."""


class Shown:
    """Its text is what the command prints; in a notebook its tables are HTML, with pictures below them."""

    def _show(self) -> None:
        """Print it, as the command does."""
        raise NotImplementedError

    def _pictures(self) -> Iterable[Picture]:
        """Those for a notebook."""
        return ()

    def __str__(self) -> str:
        return text_of(self._show)

    def _repr_html_(self) -> str:
        """For notebooks; every text in it is escaped."""
        return "\n".join([html_of(self._show), *(image_html(title, content) for title, content in self._pictures())])


def image_html(title: str, content: bytes, width: str = "max-width: min(100%, 60em)") -> str:
    """An image of a page that has its content in it; one with photos is made smaller."""
    from cnnctl.pictures.page import compact, picture

    kind, packed = compact(content)
    return f'<img src="{picture(packed, kind)}" alt="{html.escape(title)}" style="{width}">'


def plots_of(run: Run, folder: Path, names: Sequence[str]) -> list[Picture]:
    """The plots in a folder of a run that are there; one that is no picture is left out."""
    from cnnctl.evaluation.report.trust import read_plot

    found = []
    for name in names:
        try:
            content = read_plot(run, folder / f"{name}.png")
        except RunError:
            continue
        if content is not None:
            found.append((name.replace("_", " "), content))
    return found

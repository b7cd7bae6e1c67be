"""A value that a command would print."""

from cnnctl.terminal.render import html_of, text_of


class Shown:
    """Its text is what the command prints; in a notebook its tables are HTML."""

    def _show(self) -> None:
        """Print it, as the command does."""
        raise NotImplementedError

    def __str__(self) -> str:
        return text_of(self._show)

    def _repr_html_(self) -> str:
        """For notebooks; every text in it is escaped."""
        return html_of(self._show)

"""What is to be said at the end of a command, whoever finds it on the way."""

_notices: dict[str, None] = {}


def notice(text: str) -> None:
    """Keep what is to be said at the end of the command; the same text once."""
    _notices[text] = None


def untold() -> list[str]:
    """What was kept by `notice` since the last call."""
    said = list(_notices)
    _notices.clear()
    return said

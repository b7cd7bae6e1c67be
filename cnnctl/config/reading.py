"""The bytes of a config, from a file or from stdin -> a `Document`, or why there is none."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from cnnctl.config.source import MAX_BYTES, Document, error_at, parse, position_after, too_large
from cnnctl.errors import UsageError
from cnnctl.system.loudness import detail

STDIN = "<stdin>"
"""The origin of a config on stdin."""


def read(path: Path, environment: Mapping[str, str] | None = os.environ) -> Document:
    """Parse the config at `path`; see `parse`.

    Raises:
        UsageError: the file is missing or cannot be read.
        ConfigError: its text is not a config.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        from cnnctl.ready import how_to_write

        command = how_to_write(path.name)
        hint = f"{command} writes it" if command else _similar_files(path)
        raise UsageError(f"there is no config at {path}", hint) from None
    except IsADirectoryError:
        raise UsageError(f"expected a config file, but {path} is a folder", _similar_files(path / "_")) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"no config can be called {str(path)!r}: there is a NUL in it") from None
    detail(f"config: read from {path.absolute()}")
    return parse_bytes(raw, str(path), environment)


def parse_bytes(content: bytes, origin: str, environment: Mapping[str, str] | None = os.environ) -> Document:
    """`parse` of the content of a file.

    Raises:
        ConfigError: its text is not a config.
    """
    return parse(_decoded(content, origin), origin, environment)


def read_stdin() -> Document:
    """Parse the config on stdin.

    Raises:
        UsageError: stdin is closed, or cannot be read.
        ConfigError: its text is not a config.
    """
    if sys.stdin is None:
        raise UsageError("stdin is closed, and - stands for the config on it", "name the file of the config instead")
    try:
        raw = sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the config on stdin cannot be read: {error.strerror}") from None
    return parse(_decoded(raw, STDIN), STDIN)


def _decoded(raw: bytes, origin: str) -> str:
    """The text of a config, of which one byte more than allowed was read."""
    if len(raw) > MAX_BYTES:
        raise too_large(origin)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raw = error.object  # without a byte order mark
        position = position_after(raw[: error.start].decode(), origin, raw.decode(errors="replace"))
        raise error_at("a config is UTF-8 text", position, hint="save the file as UTF-8") from None


def _similar_files(path: Path) -> str | None:
    try:
        found = sorted(str(child) for child in path.parent.iterdir() if child.suffix in (".yaml", ".yml"))
    except OSError:
        return None
    return f"configs there: {', '.join(found[:5])}" if found else None

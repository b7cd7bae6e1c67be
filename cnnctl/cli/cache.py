"""`cnnctl cache`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import JsonOption
from cnnctl.formatting import duration, size
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table

if TYPE_CHECKING:
    from cnnctl.data.cache.entries import Entry, Removed

_DAY = 24 * 3600.0


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("cache", epilog="Example: cnnctl cache --clear --older-than 30")(guarded(cache_cli))


def cache_cli(
    clear: Annotated[bool, typer.Option("--clear", help="Remove the decoded images.")] = False,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", metavar="DAYS", min=0, help="Clear only what was not used for so long."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="PATH", help="What data.cache names; the user's cache folder when left out."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the decoded images that are kept for the next training, or remove them.

    They are made again when they are needed: clearing costs time, never data.
    """
    from cnnctl.data.cache.entries import images_folder, list_entries, remove_entries
    from cnnctl.errors import MachineError, UsageError

    base = images_folder("auto" if folder is None else str(folder.absolute()))
    if older_than is not None and not clear:
        raise UsageError("--older-than says what --clear removes", "add --clear")
    if not clear:
        _show(base, list_entries(base), as_json)
        return
    try:
        removed = remove_entries(base, (older_than or 0.0) * _DAY)
    except OSError as error:
        raise MachineError(f"{error.filename or base} cannot be removed: {error.strerror}") from None
    _tell(base, removed, as_json)


def _show(base: Path, found: "list[Entry]", as_json: bool) -> None:
    import time

    total = sum(entry.size for entry in found)
    if as_json:
        print_json({"folder": str(base), "bytes": total, "entries": [_plain(entry) for entry in found]})
        return
    now = time.time()
    rows = [
        (
            entry.source or "?",
            f"{entry.images:,}" if entry.images is not None else "?",
            " x ".join(map(str, entry.shape)) or "?",
            entry.fit or "?",
            size(entry.size),
            f"{duration(max(0.0, now - entry.used))} ago",
        )
        for entry in found
    ]
    if rows:
        align = (LEFT, RIGHT, RIGHT, LEFT, RIGHT, RIGHT)
        print_table(("decoded from", "images", "size", "fit", "on disk", "last used"), rows, align)
        print()
    print(f"{size(total)} in {base}")
    if rows:
        print("clear it with: cnnctl cache --clear")


def _tell(base: Path, removed: "Removed", as_json: bool) -> None:
    if as_json:
        gone = [_plain(entry) for entry in removed.entries]
        print_json({"folder": str(base), "bytes": removed.size, "removed": gone, "busy": removed.busy})
        return
    noun = "entry" if len(removed.entries) == 1 else "entries"
    print(f"removed {len(removed.entries):,} {noun}, {size(removed.size)}, from {base}")
    if removed.busy:
        print(f"{removed.busy:,} being made just now: left alone")


def _plain(entry: "Entry") -> dict[str, Any]:
    return {**asdict(entry), "path": str(entry.path), "shape": list(entry.shape)}

"""The decoded images that are kept, in a table or as JSON."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.formatting import duration, size
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table

if TYPE_CHECKING:
    from cnnctl.data.cache.entries import Entry, Removed


def print_entries(base: Path, found: "list[Entry]", as_json: bool) -> None:
    """What the cache in the folder `base` holds."""
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


def print_removed(base: Path, removed: "Removed", as_json: bool) -> None:
    """What was cleared."""
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

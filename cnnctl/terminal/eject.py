"""What `eject` wrote: lines, and JSON."""

import shlex
from typing import TYPE_CHECKING

from cnnctl.formatting import printable

if TYPE_CHECKING:
    from cnnctl.ejecting.eject import Ejected


def to_json(ejected: "Ejected") -> dict[str, object]:
    """The form of `eject --json`."""
    return {
        "script": str(ejected.script),
        "split": str(ejected.split),
        "images": ejected.counts,
        "remarks": list(ejected.warnings),
    }


def print_ejected(ejected: "Ejected") -> None:
    """The files, and what the script does otherwise."""
    counts = ", ".join(f"{split} {count:,}" for split, count in ejected.counts.items())
    print(f"{printable(str(ejected.script))}  builds, trains and saves the network")
    print(f"{printable(str(ejected.split))}  which image is in which split: {counts}")
    if ejected.warnings:
        print("\ndifferences from cnnctl:")
        for warning in ejected.warnings:
            print(f"  - {printable(warning)}")
    print(f"\nnext  python {printable(shlex.quote(str(ejected.script)))}")

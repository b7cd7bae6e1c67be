"""An exported file and its parity with the model."""

from typing import TYPE_CHECKING

from cnnctl.formatting import percent, printable, size
from cnnctl.terminal.render import LEFT, print_table

if TYPE_CHECKING:
    from cnnctl.exporting.export import Exported


def print_exported(exported: "Exported") -> None:
    """How alike the answers are, and where the files lie."""
    parity = exported.parity
    rows = [
        ("compared with", parity.reference),
        ("images", f"{parity.images:,}"),
        ("largest difference in probability", f"{parity.largest_difference:.2g}"),
        ("equal answers", percent(parity.equal_answers, 2)),
        (f"accuracy of {parity.reference}", percent(parity.reference_accuracy, 2)),
        ("accuracy of the exported file", percent(parity.accuracy, 2)),
        ("change", f"{100 * parity.accuracy_change:+.2f} points"),
    ]
    print_table((f"parity, {parity.split} images", ""), rows, (LEFT, LEFT))
    name = printable(str(exported.path))
    print(f"\nwritten: {name}, {size(exported.size)}\nwritten: {name}.json, which says how to use it")

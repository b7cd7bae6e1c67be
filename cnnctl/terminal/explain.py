"""An explanation as lines and as JSON."""

from typing import TYPE_CHECKING, Any

from cnnctl.formatting import percent, printable

if TYPE_CHECKING:
    from cnnctl.explaining.folder import Explained


def print_explanation(explained: "Explained") -> None:
    """The answer, and the files."""
    found, best = explained.found, explained.found.order[0]
    print(f"{printable(explained.classes[best])} ({percent(float(found.probabilities[best]))})\n")
    for file, title in explained.pictures:
        print(f"{printable(str(file))}  {title}")
    print(f"\nopen  {printable(str(explained.page))}")


def to_json(explained: "Explained") -> dict[str, Any]:
    """The form of `explain --json`; spans of the receptive field are from the first pixel to the one after the last."""
    found = explained.found
    unit = found.unit
    return {
        "path": found.path,
        "probabilities": [
            {"label": explained.classes[at], "probability": float(found.probabilities[at])} for at in found.order
        ],
        "method": found.method,
        "features": None if found.features is None else found.features.name,
        "receptive_field": None
        if unit is None
        else {
            "layer": unit.layer.name,
            "row": unit.row,
            "column": unit.column,
            "rows": list(unit.window[0]),
            "columns": list(unit.window[1]),
        },
        "layers": [{"name": maps.row.name, "output_shape": list(maps.row.output_shape)} for maps in found.layers],
        "pictures": [str(file) for file, _ in explained.pictures],
        "page": str(explained.page),
    }

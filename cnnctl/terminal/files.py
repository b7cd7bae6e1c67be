"""What a command wrote: configs, pictures, scripts and exported models."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.formatting import percent, printable, size
from cnnctl.inference.answers import unknown_json
from cnnctl.terminal.predict import answer_text
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table, print_text, say, say_values

if TYPE_CHECKING:
    from cnnctl.ejecting.eject import Ejected
    from cnnctl.explaining.folder import Explained
    from cnnctl.exporting.export import Exported
    from cnnctl.init.choose import Choices
    from cnnctl.init.examples import Example
    from cnnctl.init.look import DatasetSummary
    from cnnctl.pictures.preview import Sample

_MOST_CLASSES = 12


def print_copied(example: "Example", path: Path) -> None:
    """What a ready config is for, and its lines to fill in."""
    if say_values(path):
        return
    print_text(f"{example.about}\n")
    for blank in example.blanks:
        print_text(f"line {blank.line} is to be filled in: {blank.text}  <- {blank.what}")
    _print_next(path)


def print_written(seen: "DatasetSummary", choices: "Choices", path: Path) -> None:
    """The classes, what is odd of the images, and the reasons of the choices."""
    from cnnctl.data.listing import describe_left_out

    if say_values(path):
        return
    rows = sorted(seen.counts.items(), key=lambda item: (-item[1], item[0]))
    print_table(("class", "images"), [(name, f"{count:,}") for name, count in rows[:_MOST_CLASSES]], (LEFT, RIGHT))
    if len(rows) > _MOST_CLASSES:
        rest = rows[_MOST_CLASSES:]
        print_text(f"... and {len(rest):,} classes more, with {rest[-1][1]:,} to {rest[0][1]:,} images")
    say()
    left_out = describe_left_out(seen.left_out)
    if left_out:
        print_text(left_out)
    for notice in seen.notices:
        print_text(f"warning: {printable(notice.message)}")
    if seen.columns is not None:
        folder = f"; the images are in {seen.columns.folder}" if seen.columns.folder else ""
        names = seen.columns.label
        label = f"{names} the labels" if isinstance(names, str) else f"{', '.join(names)} a 1 for their labels"
        print_text(printable(f"columns: {seen.columns.path} has the file names, {label}{folder}"))
    for reason in list(seen.unused.values())[:5]:
        print_text(f"not used: {printable(reason)}")
    for unreadable, reason in seen.unreadable[:5]:
        print_text(f"cannot be opened: {printable(unreadable)}: {reason}")
    if len(seen.unreadable) > 5:
        print_text(f"... and {len(seen.unreadable) - 5:,} more of the {seen.opened:,} that were opened")
    for what, reason in choices.reasons.items():
        print_text(f"{what}: {reason}")
    if choices.advice is not None:
        print_text(choices.advice)
    say()
    _print_next(path)


def _print_next(path: Path) -> None:
    say(f"written: {printable(str(path))}\nnext  cnnctl train {printable(str(path))}")


def print_samples(samples: "Sequence[Sample]", path: Path, as_json: bool) -> None:
    """The images of a preview, and the picture that they were drawn into; `kept` is the share that a crop leaves."""
    if as_json:
        images: list[dict[str, Any]] = [
            {"path": one.path, "label": one.label, "size": one.size, "kept": one.kept}
            if one.error is None
            else {"path": one.path, "label": one.label, "size": one.size, "kept": None, "error": one.error}
            for one in samples
        ]
        print_json({"output": str(path), "images": images})
        return
    if say_values(path):
        return
    rows = []
    for one in samples:
        height_width = one.error or "x".join(map(str, one.size or ()))
        rows.append((one.path, one.label, height_width, percent(one.kept, 0) if one.error is None else ""))
    print_table(("image", "class", "size", "kept"), rows, (LEFT, LEFT, RIGHT, RIGHT), drop=("kept",))
    print_text(f"\ndrawn into {printable(str(path))}")


def print_explanation(explained: "Explained", after_numbers: bool = False) -> None:
    """The answer, unless it was printed with the numbers, and the files."""
    if say_values(explained.page):
        return
    if not after_numbers:
        said = explained.found.prediction(explained.classes, explained.foreign)
        print_text(answer_text(said.named, said.probability, said.unknown or False))
    say()
    for file, title in explained.pictures:
        print_text(f"{printable(str(file))}  {title}", hang=2)
    say(f"\nopen  {printable(str(explained.page))}")


def explanation_json(explained: "Explained") -> dict[str, Any]:
    """The form of `explain --json`; spans of the receptive field are from the first pixel to the one after the last."""
    found, unit = explained.found, explained.found.unit
    field = unit and {
        "layer": unit.layer.name,
        "row": unit.row,
        "column": unit.column,
        "rows": list(unit.window[0]),
        "columns": list(unit.window[1]),
    }
    said = found.prediction(explained.classes)
    chances = [{"label": explained.classes[at], "probability": float(found.probabilities[at])} for at in found.order]
    return {
        "path": found.path,
        "probabilities": chances,
        **({} if found.thresholds is None else {"labels": [name for name, _ in said.labels or ()]}),
        **unknown_json(explained.foreign),
        "method": found.method,
        "features": None if found.features is None else found.features.name,
        "receptive_field": field,
        "layers": [{"name": maps.row.name, "output_shape": list(maps.row.output_shape)} for maps in found.layers],
        "pictures": [str(file) for file, _ in explained.pictures],
        "page": str(explained.page),
    }


def print_exported(exported: "Exported") -> None:
    """How alike the answers are, and where the files lie."""
    parity = exported.parity
    if say_values(exported.path):
        return
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
    print_text(f"\nwritten: {name}, {size(exported.size)}\nwritten: {name}.json, which says how to use it")


def print_ejected(ejected: "Ejected", as_json: bool) -> None:
    """The files, and what the script does otherwise."""
    script, split, warnings = str(ejected.script), str(ejected.split), ejected.warnings
    if as_json:
        backbone = {} if ejected.backbone is None else {"backbone": str(ejected.backbone)}
        files = {"script": script, "split": split, **backbone}
        print_json({**files, "images": ejected.counts, "remarks": list(warnings)})
        return
    if say_values(script):
        return
    counts = ", ".join(f"{name} {count:,}" for name, count in ejected.counts.items())
    print_text(f"{printable(script)}  builds, trains and saves the network")
    print_text(f"{printable(split)}  which image is in which split: {counts}")
    if ejected.backbone is not None:
        print_text(f"{printable(str(ejected.backbone))}  the pretrained network, which the script loads")
    if warnings:
        say("\ndifferences from cnnctl:")
        for warning in warnings:
            print_text(f"  - {printable(warning)}", hang=2)
    say(f"\nnext  python {printable(shlex.quote(script))}")

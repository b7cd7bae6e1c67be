"""`cnnctl explain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import JsonOption, RunOption
from cnnctl.cli.render import print_json, printable
from cnnctl.words import percent

if TYPE_CHECKING:
    from cnnctl.explaining.explain import Explanation, Wish
    from cnnctl.explaining.network import Network
    from cnnctl.explaining.sections import Section
    from cnnctl.runs import Run

PAGE = "explanation.html"
_STALE = ("maps-*.png", "probabilities.png", "grad-cam.png", "hires-cam.png", "kernels.png", "receptive-field.png")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    epilog = "Example: cnnctl explain cat.jpg --run runs/cats-dogs/1 --unit conv2d_1:10,12"
    app.command("explain", epilog=epilog)(guarded(explain_cli))


def explain_cli(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.", show_default=False)],
    run: RunOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="A folder. Left out: IMAGE-explained here.", show_default=False),
    ] = None,
    top: Annotated[int, typer.Option("--top", metavar="K", min=1, max=10, help="Classes that get a map.")] = 3,
    method: Annotated[
        str,
        typer.Option(
            "--method", help="grad-cam, or hires-cam, which is truer where a flatten follows the convolutions."
        ),
    ] = "grad-cam",
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit",
            metavar="LAYER:ROW,COLUMN",
            help="Draw this unit's receptive field. Left out: the place that speaks most for the answer.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a trained network sees in an image: feature maps, kernels, and the places that speak for its answer."""
    from cnnctl.errors import UsageError
    from cnnctl.explaining.activation_maps import METHODS
    from cnnctl.explaining.explain import Wish, parse_unit
    from cnnctl.explaining.network import run_plan
    from cnnctl.explaining.sections import make_sections, page
    from cnnctl.quiet import captured_stderr
    from cnnctl.runs import find_run

    if method not in METHODS:
        raise UsageError(f"there is no method {method}", f"methods are {', '.join(METHODS)}")
    folder = output or Path(f"{image.stem}-explained")
    _check(folder)
    found_run = find_run(run)
    wish = Wish(top, method, None if unit is None else parse_unit(unit, run_plan(found_run)))
    with captured_stderr():
        found, network, spec = _compute(found_run, image, wish)
        sections = make_sections(found, network, spec, found_run.title)
    _write(folder, sections, page(found, sections, network, found_run.title))
    if as_json:
        print_json(to_json(found, network, sections, folder))
        return
    best = found.order[0]
    print(f"{printable(network.classes[best])} ({percent(float(found.probabilities[best]))})\n")
    for section in sections:
        for shown in section.pictures:
            print(f"{printable(str(folder / shown.file))}  {shown.title}")
    print(f"\nopen  {printable(str(folder / PAGE))}")


def _compute(run: "Run", image: Path, wish: "Wish") -> "tuple[Explanation, Network, Any]":
    """The explanation; the image is tried before Keras is loaded, which takes seconds."""
    from cnnctl.data.images import ImageError, read_image
    from cnnctl.errors import DataError
    from cnnctl.explaining.explain import explain
    from cnnctl.explaining.network import load_network
    from cnnctl.inference.model import load_classifier
    from cnnctl.training.backend import choose_backend, import_keras

    classifier = load_classifier(run)
    try:
        pixels = read_image(image, classifier.spec)
    except ImageError as error:
        raise DataError(f"{image}: {error.message}", error.hint) from None
    import_keras(choose_backend("auto"))
    shipped = classifier.probabilities(pixels[None])[0]
    network = load_network(run)
    return explain(network, classifier.spec, str(image), shipped, wish), network, classifier.spec


def _check(folder: Path) -> None:
    """Refuse a folder that holds anything but an explanation."""
    from cnnctl.errors import UsageError

    hint = "choose another folder with --output DIR"
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{printable(str(folder))} is a file, not a folder", hint)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / PAGE).is_file():
        raise UsageError(f"{printable(str(folder))} is not empty and holds no explanation", hint)


def _write(folder: Path, sections: "list[Section]", text: str) -> None:
    from cnnctl.errors import MachineError
    from cnnctl.runs import files

    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = {shown.file for section in sections for shown in section.pictures}
        for section in sections:
            for shown in section.pictures:
                files.write_bytes(folder / shown.file, shown.content)
        files.write_text(folder / PAGE, text)
        for pattern in _STALE:
            for old in folder.glob(pattern):
                if old.name not in kept:
                    old.unlink()
    except OSError as error:
        hint = "choose another folder with --output DIR"
        raise MachineError(f"{printable(str(folder))} cannot be written: {error.strerror}", hint) from None


def to_json(found: "Explanation", network: "Network", sections: "list[Section]", folder: Path) -> dict[str, Any]:
    """The form of `explain --json`; spans of the receptive field are from the first pixel to the one after the last."""
    unit = found.unit
    return {
        "path": found.path,
        "probabilities": [
            {"label": network.classes[at], "probability": float(found.probabilities[at])} for at in found.order
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
        "layers": [{"name": row.name, "output_shape": list(row.output_shape)} for row, _ in found.layers],
        "pictures": [str(folder / shown.file) for section in sections for shown in section.pictures],
        "page": str(folder / PAGE),
    }

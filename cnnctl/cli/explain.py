"""`cnnctl explain`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import JsonOption, RunOption
from cnnctl.formatting import percent
from cnnctl.terminal.render import print_json, printable

if TYPE_CHECKING:
    from cnnctl.explaining.explain import ExplainRequest, Explanation
    from cnnctl.explaining.sections import Section
    from cnnctl.models.of_run import Network
    from cnnctl.runs import Run

PAGE = "explanation.html"
_PICTURE = re.compile(r"(?:maps-[0-9]{2,}-[\w.\-]+|probabilities|grad-cam|hires-cam|kernels|receptive-field)\.png")
_LONGEST_NAME = 150
_HINT = "choose another folder with --output DIR"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    epilog = "Example: cnnctl explain cat.jpg --run runs/cats-dogs/1 --unit conv2d_1:10,12"
    app.command("explain", epilog=epilog)(guarded(explain_cli))


def explain_cli(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.", show_default=False)],
    run: RunOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="DIR", help="A folder. Left out: FOLDER-IMAGE-explained here.", show_default=False
        ),
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
    from cnnctl.explaining.explain import ExplainRequest, parse_unit
    from cnnctl.explaining.sections import make_sections, page
    from cnnctl.models.of_run import run_plan
    from cnnctl.runs import find_run
    from cnnctl.system.stderr import captured_stderr

    if method not in METHODS:
        raise UsageError(f"there is no method {method}", f"methods are {', '.join(METHODS)}")
    folder = output or Path(_default_folder(image))
    _check(folder)
    found_run = find_run(run)
    wish = ExplainRequest(top, method, None if unit is None else parse_unit(unit, run_plan(found_run)))
    with captured_stderr():
        found, network = _compute(found_run, image, wish)
        sections = make_sections(found, network, found_run.title)
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


def _default_folder(image: Path) -> str:
    """`cat-0001-explained` for cat/0001.png: data sets have the same names in every class."""
    parts = [part for part in (image.parent.name, image.stem) if part not in ("", "..")]
    name = "-".join(parts).encode("utf-8", "surrogateescape")[:_LONGEST_NAME].decode("utf-8", "surrogateescape")
    return f"{name}-explained"


def _compute(run: "Run", image: Path, wish: "ExplainRequest") -> "tuple[Explanation, Network]":
    """The explanation, made on the processor; the image is tried before Keras is loaded, which takes seconds."""
    from cnnctl.data.decoder.images import ImageError, read_image
    from cnnctl.errors import DataError
    from cnnctl.explaining.explain import explain
    from cnnctl.inference.model import load_classifier
    from cnnctl.models.backend import choose_backend, import_keras_on_the_processor
    from cnnctl.models.of_run import load_network

    classifier = load_classifier(run)
    try:
        pixels = read_image(image, classifier.spec)
    except ImageError as error:
        raise DataError(f"{printable(str(image))}: {error.message}", error.hint) from None
    import_keras_on_the_processor(choose_backend("auto"))
    shipped = classifier.probabilities(pixels[None])[0]
    network = load_network(run)
    return explain(network, pixels, str(image), shipped, wish), network


def _check(folder: Path) -> None:
    """Refuse a folder that holds anything but an explanation, or what is left of one that was interrupted."""
    from cnnctl.errors import MachineError, UsageError

    shown = printable(str(folder))
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{shown} is a file, not a folder", _HINT)
        if folder.is_dir() and not all(_is_ours(child.name) for child in folder.iterdir()):
            raise UsageError(f"{shown} is not empty and holds no explanation", _HINT)
    except OSError as error:
        raise MachineError(f"{shown} cannot be used: {error.strerror}", _HINT) from None


def _is_ours(name: str) -> bool:
    from cnnctl.system.files import is_aside

    return name == PAGE or _PICTURE.fullmatch(name) is not None or is_aside(Path(name))


def _write(folder: Path, sections: "list[Section]", text: str) -> None:
    """The pictures, then the page; pictures of an earlier explanation are taken away last."""
    from cnnctl.errors import MachineError
    from cnnctl.system import files

    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = {PAGE}
        for section in sections:
            for shown in section.pictures:
                files.write_bytes(folder / shown.file, shown.content)
                kept.add(shown.file)
        files.write_text(folder / PAGE, text)
        for old in folder.iterdir():
            if old.name not in kept and _is_ours(old.name):
                old.unlink()
    except MachineError as error:
        raise MachineError(error.message, _HINT) from None
    except OSError as error:
        raise MachineError(f"{printable(str(folder))} cannot be written: {error.strerror}", _HINT) from None


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
        "layers": [{"name": maps.row.name, "output_shape": list(maps.row.output_shape)} for maps in found.layers],
        "pictures": [str(folder / shown.file) for section in sections for shown in section.pictures],
        "page": str(folder / PAGE),
    }

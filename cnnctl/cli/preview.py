"""`cnnctl preview`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption
from cnnctl.formatting import percent
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table, printable

if TYPE_CHECKING:
    from cnnctl.pictures.preview import Sample


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    epilog = "Example: cnnctl preview digits.yaml --output digits.png"
    app.command("preview", epilog=epilog)(guarded(preview_cli))


def preview_cli(
    config: ConfigArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="PNG", help="The picture. Left out: NAME-preview.png here.", show_default=False
        ),
    ] = None,
    images: Annotated[int, typer.Option("--images", metavar="N", min=1, max=100, help="Images to show.")] = 8,
    variations: Annotated[
        int,
        typer.Option("--variations", metavar="N", min=0, max=20, help="Variations of each, by the augment section."),
    ] = 6,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw training images as the network sees them: cut, resized, varied, labelled.

    The variations are those of the first epochs of a training that can use every image.
    """
    from cnnctl.config import load
    from cnnctl.data.catalog import make_catalog
    from cnnctl.data.split import TRAIN
    from cnnctl.pictures import style
    from cnnctl.pictures.preview import make_samples, preview_figure
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.png import check_png, save_png

    if output is not None:
        check_png(output, "--output")
    settings = load(config, assignments or ())
    path = output or Path(f"{settings.name}-preview.png")
    with captured_stderr():
        frame = make_catalog(settings.data, settings.seed).frame
        check_png(path, "--output", frame.path)
        chosen = frame[frame.split == TRAIN]
        samples = make_samples(settings, chosen.path.tolist(), chosen.label.tolist(), images, variations)
        with style.drawing():
            content = style.png(preview_figure(settings, samples, str(settings.name)))
    save_png(path, content, "--output")
    if as_json:
        print_json({"output": str(path), "images": [to_json(one) for one in samples]})
        return
    rows = [_row(one) for one in samples]
    print_table(("image", "class", "size", "kept"), rows, (LEFT, LEFT, RIGHT, RIGHT))
    print(f"\ndrawn into {printable(str(path))}")


def to_json(one: "Sample") -> dict[str, Any]:
    """One image in the form of `preview --json`; `kept` is the share of its area that a crop leaves."""
    value: dict[str, Any] = {"path": one.path, "label": one.label, "size": one.size, "kept": one.kept}
    return value if one.error is None else {**value, "kept": None, "error": one.error}


def _row(one: "Sample") -> tuple[str, str, str, str]:
    size = one.error or "x".join(map(str, one.size or ()))
    return (one.path, one.label, size, percent(one.kept, 0) if one.error is None else "")

"""`cnnctl preview`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption

EPILOG = "Example: cnnctl init --example digits\n\nThen: cnnctl preview digits.yaml --output digits.png"


def preview_cli(
    config: ConfigArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="PNG", help="Picture to write; default: NAME-preview.png.", show_default=False
        ),
    ] = None,
    images: Annotated[int, typer.Option("--images", metavar="N", min=1, max=100, help="Number of images to show.")] = 8,
    variations: Annotated[
        int,
        typer.Option("--variations", metavar="N", min=0, max=20, help="Number of augmented versions of each image."),
    ] = 6,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw training images as the network sees them: cropped, resized, augmented, with their labels.

    The augmented versions are those of the first epochs of a training, where every image can be read.
    """
    from cnnctl.config import load
    from cnnctl.data.catalog import make_catalog
    from cnnctl.data.split import TRAIN
    from cnnctl.pictures import style
    from cnnctl.pictures.preview import make_samples, preview_figure
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.files import print_samples
    from cnnctl.terminal.png import check_png, save_png

    if output is not None:
        check_png(output, "--output")
    settings = load(config, assignments or ())
    path = output or Path(f"{settings.name}-preview.png")
    with captured_stderr():
        frame = make_catalog(settings.data, settings.seed, settings.output.multi_label is not None).frame
        check_png(path, "--output", frame.path)
        chosen = frame[frame.split == TRAIN]
        samples = make_samples(settings, chosen.path.tolist(), chosen.label.tolist(), images, variations)
        with style.drawing():
            content = style.png(preview_figure(settings, samples, str(settings.name)))
    save_png(path, content, "--output")
    print_samples(samples, path, as_json)

"""`cnnctl convolve`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.options import JsonOption
from cnnctl.convolve.kernels import ACTIVATIONS, KERNELS
from cnnctl.formatting import printable
from cnnctl.terminal.render import print_json

if TYPE_CHECKING:
    from cnnctl.convolve.demonstration import Demonstration

_DRAWN_SIZE, _DRAWN_PADDING = "300", "same"
_NUMBERS_SIZE, _NUMBERS_PADDING = "own", "valid"


EPILOG = (
    "Example: cnnctl convolve cat.jpg --kernel sobel-x --grey\n\n"
    "Example: cnnctl convolve '[[0,1,2],[3,4,5],[6,7,8]]' --kernel '[[0,1],[2,3]]' --numbers"
)


def _list_kernels(wanted: bool) -> None:
    if not wanted:
        return
    from cnnctl.terminal.convolve import grid

    for place, (name, kernel) in enumerate(KERNELS.items()):
        print(f"{chr(10) if place else ''}{name}: {kernel.meaning}")
        print("\n".join(f"  {line}" for line in grid(kernel.rows)))
    raise typer.Exit


@dataclass(frozen=True)
class FilterOptions:
    """What is done to the picture."""

    kernel: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE|MATRIX",
            help=f"Kernel: {', '.join(KERNELS)}; a file of numbers; a matrix '[[0,1],[2,3]]'; or three matrices, one "
            "for each channel.",
        ),
    ] = "edge"
    strides: Annotated[str, typer.Option(metavar="N", help="Step of the kernel, or ROWS,COLUMNS.")] = "1"
    padding: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help=f"Padding: valid, same, a number of zeros, or '[[1,1],[0,2]]' (top, bottom, left, right). "
            f"Default: {_DRAWN_PADDING}; with --numbers: {_NUMBERS_PADDING}.",
        ),
    ] = None
    bias: Annotated[float, typer.Option(metavar="B", help="Bias, added to every sum.")] = 0.0
    activation: Annotated[str, typer.Option(metavar="NAME", help=f"Activation: {', '.join(ACTIVATIONS)}.")] = "relu"
    pool: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:N",
            help="Pooling: max:2, average:2 or l2:2 (window and strides), max:3:2 (strides 2), or none. "
            "Default: max:2 where it fits.",
        ),
    ] = None


@dataclass(frozen=True)
class PictureOptions:
    """How the picture is read."""

    grey: Annotated[bool, typer.Option("--grey", "--gray", help="Convert a colour image to grey first.")] = False
    size: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help=f"Resize the image to NxN or HEIGHTxWIDTH pixels; own keeps its size. Default: {_DRAWN_SIZE}; with "
            f"--numbers: {_NUMBERS_SIZE}.",
        ),
    ] = None
    crop: Annotated[
        str | None,
        typer.Option(
            metavar="ROW,COLUMN,HEIGHT,WIDTH",
            help="Use only this part of the picture, after --size.",
        ),
    ] = None


@dataclass(frozen=True)
class OutputOptions:
    """What is made of it."""

    output: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Picture to write; default: IMAGE-KERNEL.png in the current folder."),
    ] = None
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Print the arithmetic instead of drawing; with --output, do both.")
    ] = False
    at: Annotated[
        str | None, typer.Option(metavar="ROW,COLUMN", help="With --numbers: the output to explain; default: 0,0.")
    ] = None


def convolve_cli(
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE", help="An image file, a matrix '[[0,1],[2,3]]', or a .csv or .txt file with one."
        ),
    ],
    what: FilterOptions,
    reading: PictureOptions,
    wanted: OutputOptions,
    as_json: JsonOption = False,
    _: Annotated[
        bool, typer.Option("--list-kernels", callback=_list_kernels, is_eager=True, help="Print the kernels and exit.")
    ] = False,
) -> None:
    """Show what one kernel does to a picture: the feature map, the activation, the pooled map.

    As in every CNN library, the kernel is not flipped, and the channels of a colour picture are summed.
    """
    from cnnctl.convolve import options, sources
    from cnnctl.convolve.convolution import explain
    from cnnctl.convolve.demonstration import demonstrate
    from cnnctl.errors import UsageError
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.convolve import print_demonstration, to_json

    if wanted.at is not None and not wanted.numbers:
        raise UsageError("--at needs --numbers", "add --numbers")
    kernel = sources.read_kernel(what.kernel)
    size, padding = reading.size, what.padding
    if size is None:
        size = _NUMBERS_SIZE if wanted.numbers or sources.is_matrix(image) else _DRAWN_SIZE
    if padding is None:
        padding = _NUMBERS_PADDING if wanted.numbers else _DRAWN_PADDING
    with captured_stderr():
        picture = sources.read_picture(image, options.parse_size(size), reading.grey)
    if reading.crop is not None:
        picture = options.crop(picture, reading.crop)
    demo = demonstrate(picture, kernel, what.strides, padding, what.bias, what.activation, what.pool)

    explained, output = None, wanted.output
    if wanted.numbers:
        rows, columns = demo.stages.feature_map.shape
        explained = explain(picture.pixels, demo.filter, *options.parse_place(wanted.at or "0,0", (rows, columns)))
    elif output is None:
        output = Path(f"{Path(picture.name).stem}-{kernel.name}.png")
    if output is not None:
        _draw(demo, output, (image, what.kernel))

    for warning in demo.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if as_json:
        print_json(to_json(demo, explained) | ({} if output is None else {"output": str(output)}))
        return
    print_demonstration(demo, explained)
    if output is not None:
        print(f"\ndrawn into {printable(str(output))}")


def _draw(demo: "Demonstration", path: Path, sources: tuple[str, str]) -> None:
    from cnnctl.formatting import number
    from cnnctl.pictures import style
    from cnnctl.pictures.convolve import Panel, convolution_figure
    from cnnctl.terminal.png import check_png, save_png

    check_png(path, "--output", sources)
    bias = f", bias {number(demo.filter.bias)} added" if demo.filter.bias else ""
    maps = [
        Panel(f"after {step.name}" if place else step.name + bias, step.values, step.border)
        for place, step in enumerate(demo.maps)
    ]
    name, pixels = demo.picture.name, demo.picture.pixels
    heading = ("What a kernel does to a picture", name, f"{demo.description}; the kernel is not flipped")
    kernel = Panel(f"kernel {demo.kernel}", demo.filter.kernel)
    with style.drawing():
        figure = convolution_figure(heading, Panel(name, pixels), demo.picture.is_image, kernel, maps)
        content = style.png(figure)
    save_png(path, content, "--output")

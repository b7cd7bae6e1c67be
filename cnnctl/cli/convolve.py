"""`cnnctl convolve`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.options import JsonOption
from cnnctl.convolve.kernels import ACTIVATIONS, KERNELS

if TYPE_CHECKING:
    from cnnctl.convolve.demonstration import Demonstration

_DRAWN_PADDING, _NUMBERS_PADDING = "same", "valid"
_KERNEL = "edge"
_NAMED = 3
"""Most kernels whose names are in the default name of the picture."""

_LONGEST = 400
"""Pixels of the longer side of an image that is drawn in its own size."""


EPILOG = (
    "Example: cnnctl convolve cat.jpg --kernel sobel-x --grey\n\n"
    "Example: cnnctl convolve '[[0,1,2],[3,4,5],[6,7,8]]' --kernel '[[0,1],[2,3]]' --numbers"
)


def _list_kernels(wanted: bool) -> None:
    if not wanted:
        return
    from cnnctl.terminal.arithmetic import grid

    for place, (name, kernel) in enumerate(KERNELS.items()):
        print(f"{chr(10) if place else ''}{name}: {kernel.meaning}")
        print("\n".join(f"  {line}" for line in grid(kernel.rows)))
    raise typer.Exit


@dataclass(frozen=True)
class FilterOptions:
    """What is done to the picture."""

    kernel: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE|MATRIX",
            help=f"Kernel: {', '.join(KERNELS)}; a file of numbers; a matrix '[[0,1],[2,3]]'; or three matrices, one "
            "for each channel. Repeatable, as the kernels of one layer. Default: edge.",
            show_default=False,
        ),
    ] = None
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
    activation: Annotated[
        str,
        typer.Option(metavar="NAME", help=f"Activation: {', '.join(ACTIVATIONS)}. softmax is over the kernels."),
    ] = "relu"
    negative_slope: Annotated[
        float | None,
        typer.Option(metavar="S", help="Slope of leaky_relu below 0; default: 0.2, as in Keras.", show_default=False),
    ] = None
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
            help="Stretch the image to NxN or HEIGHTxWIDTH pixels; own keeps its size. Default: own; to draw an image "
            f"of more than {_LONGEST} pixels, one half, one third and so on of it.",
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
    """Show what a kernel does to a picture: the feature map, the activation, the pooled map.

    As in every CNN library, the kernel is not flipped, and the channels of a colour picture are summed.
    """
    from cnnctl.convolve import options, sources
    from cnnctl.convolve.convolution import explain
    from cnnctl.convolve.demonstration import Wanted, demonstrate
    from cnnctl.errors import UsageError
    from cnnctl.formatting import number, printable
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.convolve import print_demonstrations, to_json
    from cnnctl.terminal.render import print_json, print_text, remark, say_values

    if wanted.at is not None and not wanted.numbers:
        raise UsageError("--at needs --numbers", "add --numbers")
    given = what.kernel or [_KERNEL]
    kernels = sources.read_kernels(given)
    size = None if reading.size is None else options.parse_size(reading.size)
    as_it_is = reading.crop is not None or wanted.numbers
    with captured_stderr():
        picture = sources.read_picture(image, size, reading.grey, None if as_it_is else _LONGEST)
    if reading.crop is not None:
        picture = options.crop(picture, reading.crop)
    padding = what.padding
    if padding is None:
        padding = _NUMBERS_PADDING if wanted.numbers else _DRAWN_PADDING
    filters = Wanted(what.strides, padding, what.bias, what.activation, what.pool, what.negative_slope)
    demos = demonstrate(picture, kernels, filters)

    explained, output = [], wanted.output
    if wanted.numbers:
        for demo in demos:
            rows, columns = demo.stages.feature_map.shape
            place = options.parse_place(wanted.at or "0,0", (rows, columns))
            explained.append(explain(picture.pixels, demo.filter, *place))
    elif output is None:
        output = _default_output(demos)
    if output is not None:
        _draw(demos, output, (image, *given))

    for warning in dict.fromkeys(warning for demo in demos for warning in demo.warnings):
        remark(f"warning: {warning}")
    if as_json:
        print_json(to_json(demos, explained) | ({} if output is None else {"output": str(output)}))
        return
    shown = [output] if output is not None and not explained else [number(one.value) for one in explained]
    if say_values(*shown):
        return
    print_demonstrations(demos, explained)
    if output is not None:
        print_text(f"\ndrawn into {printable(str(output))}")


def _default_output(demos: "list[Demonstration]") -> Path:
    names = "-".join(demo.kernel.replace(" ", "-") for demo in demos)
    few = len(demos) <= _NAMED
    return Path(f"{Path(demos[0].picture.name).stem}-{names if few else f'{len(demos)}-kernels'}.png")


def _draw(demos: "list[Demonstration]", path: Path, sources: tuple[str, ...]) -> None:
    from cnnctl.formatting import number
    from cnnctl.pictures import style
    from cnnctl.pictures.convolve import KernelRow, Panel, convolution_figure
    from cnnctl.terminal.png import check_png, save_png

    check_png(path, "--output", sources)
    first = demos[0]
    bias = f", bias {number(first.filter.bias)} added" if first.filter.bias else ""
    rows = [
        KernelRow(
            Panel(f"kernel {demo.kernel}", demo.filter.kernel),
            [
                Panel(
                    f"after {step.name}" if place else step.name + bias,
                    step.values,
                    step.border,
                    are_shares=place > 0 and demo.filter.activation == "softmax" and step.values.max() <= 1,
                )
                for place, step in enumerate(demo.maps)
            ],
        )
        for demo in demos
    ]
    name, pixels = first.picture.name, first.picture.pixels
    what = "What a kernel does to a picture" if len(demos) == 1 else f"What {len(demos)} kernels do to a picture"
    heading = (what, name, f"{first.description}; the kernel is not flipped")
    if len(demos) > 1:
        heading = (what, name, f"{first.settings}; the kernels are not flipped")
    with style.drawing():
        content = style.png(convolution_figure(heading, Panel(name, pixels), first.picture.is_image, rows))
    save_png(path, content, "--output")

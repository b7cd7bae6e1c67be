"""`cnnctl convolve`."""

import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.cli.options import JsonOption
from cnnctl.convolve.kernels import ACTIVATIONS, KERNELS
from cnnctl.formatting import printable
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table

if TYPE_CHECKING:
    from cnnctl.convolve.convolution import Stages, Sum
    from cnnctl.convolve.lesson import Lesson
    from cnnctl.convolve.sources import Picture

_DRAWN_SIZE, _DRAWN_PADDING = "300", "same"
_NUMBERS_SIZE, _NUMBERS_PADDING = "own", "valid"


@dataclass(frozen=True)
class Shown:
    """What the command shows: a picture and a filter in the user's words, and what came of them."""

    picture: "Picture"
    kernel: str
    padding: str
    lesson: "Lesson"
    stages: "Stages"


EPILOG = (
    "Example: cnnctl convolve cat.jpg --kernel sobel-x --grey\n\n"
    "Example: cnnctl convolve '[[0,1,2],[3,4,5],[6,7,8]]' --kernel '[[0,1],[2,3]]' --numbers"
)


def _list_kernels(wanted: bool) -> None:
    if not wanted:
        return
    from cnnctl.convolve.numbers import grid

    for place, (name, kernel) in enumerate(KERNELS.items()):
        print(f"{chr(10) if place else ''}{name}: {kernel.meaning}")
        print("\n".join(f"  {line}" for line in grid(kernel.rows)))
    raise typer.Exit


def convolve_cli(
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE",
            help="An image file, a matrix '[[0,1],[2,3]]', or a .csv or .txt file with one.",
            show_default=False,
        ),
    ],
    kernel: Annotated[
        str,
        typer.Option(
            "--kernel",
            metavar="NAME|FILE|MATRIX",
            help=f"One of {', '.join(KERNELS)}; a file of numbers; or '[[0,1],[2,3]]', or three of these in brackets, "
            "one for each channel.",
        ),
    ] = "edge",
    strides: Annotated[str, typer.Option("--strides", metavar="N", help="Steps, or ROWS,COLUMNS.")] = "1",
    padding: Annotated[
        str | None,
        typer.Option(
            "--padding",
            metavar="P",
            help=f"valid, same, a number of zeros, or '[[1,1],[0,2]]' (top, bottom, left, right). "
            f"Left out: {_DRAWN_PADDING}, with --numbers {_NUMBERS_PADDING}.",
            show_default=False,
        ),
    ] = None,
    bias: Annotated[float, typer.Option("--bias", metavar="B", help="Added to every sum.")] = 0.0,
    activation: Annotated[
        str, typer.Option("--activation", metavar="NAME", help=f"One of {', '.join(ACTIVATIONS)}.")
    ] = "relu",
    pooling: Annotated[
        str | None,
        typer.Option(
            "--pool",
            metavar="KIND:N",
            help="max:2, average:2 or l2:2 (the window; its strides are as large), max:3:2 (strides 2), or none. "
            "Left out: max:2 where that fits.",
            show_default=False,
        ),
    ] = None,
    grey: Annotated[bool, typer.Option("--grey", "--gray", help="Make a colour image grey first.")] = False,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="N",
            help=f"Stretch an image to NxN pixels or HEIGHTxWIDTH; own: its own size. Left out: {_DRAWN_SIZE}, with "
            f"--numbers {_NUMBERS_SIZE}.",
            show_default=False,
        ),
    ] = None,
    crop: Annotated[
        str | None,
        typer.Option(
            "--crop",
            metavar="ROW,COLUMN,HEIGHT,WIDTH",
            help="Take this piece of the picture (after --size) instead of the whole.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="PNG", help="The drawing. Left out: IMAGE-KERNEL.png here.", show_default=False
        ),
    ] = None,
    numbers: Annotated[
        bool,
        typer.Option("--numbers", help="Print the arithmetic instead of drawing; with --output, do both."),
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="ROW,COLUMN",
            help="With --numbers: the output to explain. Left out: 0,0.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    _: Annotated[
        bool,
        typer.Option("--list-kernels", callback=_list_kernels, is_eager=True, help="Print the kernels and exit."),
    ] = False,
) -> None:
    """Show what one kernel does to a picture: the feature map, the activation, the pooled map.

    Convolution as in every CNN library: the kernel is not flipped, and a colour picture's channels are summed.
    """
    from cnnctl.convolve.convolution import explain, run_filter
    from cnnctl.convolve.lesson import Words, make_lesson, parse_place, parse_size
    from cnnctl.convolve.lesson import crop as cut
    from cnnctl.convolve.sources import is_matrix, read_kernel, read_picture
    from cnnctl.errors import UsageError
    from cnnctl.system.stderr import captured_stderr

    if at is not None and not numbers:
        raise UsageError("--at says which output --numbers explains", "add --numbers")
    matrices = read_kernel(kernel)
    if size is None:
        size = _NUMBERS_SIZE if numbers or is_matrix(image) else _DRAWN_SIZE
    with captured_stderr():
        picture = read_picture(image, parse_size(size), grey)
    if crop is not None:
        picture = cut(picture, crop)
    if padding is None:
        padding = _NUMBERS_PADDING if numbers else _DRAWN_PADDING
    lesson = make_lesson(picture, matrices, Words(strides, padding, bias, activation, pooling))
    shown = Shown(picture, matrices.name, padding, lesson, run_filter(picture.pixels, lesson.filter))
    total = None
    if numbers:
        rows, columns = shown.stages.feature_map.shape
        total = explain(picture.pixels, lesson.filter, *parse_place(at or "0,0", (rows, columns)))
    if output is None and not numbers:
        output = Path(f"{Path(picture.name).stem}-{matrices.name}.png")
    if output is not None:
        _draw(shown, output, (image, kernel))
    for warning in lesson.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if as_json:
        print_json(to_json(shown, total, output))
    else:
        _print(shown, total, output)


def _draw(shown: Shown, path: Path, sources: tuple[str, str]) -> None:
    from cnnctl.convolve.drawing import stages_png
    from cnnctl.terminal.png import check_png, save_png

    check_png(path, "--output", sources)
    picture = replace(shown.picture, name=printable(shown.picture.name))
    title = f"{_filter_text(shown)} (the kernel is not flipped)"
    content = stages_png(picture, printable(shown.kernel), shown.lesson.filter, shown.stages, title)
    save_png(path, content, "--output")


def to_json(shown: Shown, total: "Sum | None", output: Path | None) -> dict[str, Any]:
    """The form of `convolve --json`; with `total`, that of `--numbers` too."""
    from cnnctl.convolve.numbers import numbers_json

    what, stages = shown.lesson.filter, shown.stages
    value: dict[str, Any] = {
        "picture": shown.picture.name,
        "kernel": shown.kernel,
        "strides": what.strides,
        "padding": what.zeros,
        "bias": what.bias,
        "activation": what.activation,
        "pooling": None if what.pooling is None else asdict(what.pooling),
        "picture_shape": stages.picture.shape,
        "feature_map_shape": stages.feature_map.shape,
        "pooled_shape": None if stages.pooled is None else stages.pooled.shape,
    }
    if total is not None:
        value.update(numbers_json(stages, what, total))
    return value if output is None else {**value, "output": str(output)}


def _print(shown: Shown, total: "Sum | None", output: Path | None) -> None:
    from cnnctl.convolve.numbers import print_numbers

    (high, wide, channels), own = shown.picture.pixels.shape, shown.picture.own_size
    kind = "grey" if channels == 1 else "red, green and blue"
    whole = "" if (high, wide) == own else f", of an image of {own[0]}x{own[1]}"
    print(f"{printable(shown.picture.name)}: {high}x{wide}x{channels} ({kind}){whole}")
    print(_filter_text(shown))
    if total is None:
        print()
        _print_stages(shown)
    else:
        print_numbers(shown.stages, shown.lesson.filter, total)
    if output is not None:
        print(f"\ndrawn into {printable(str(output))}")


def _filter_text(shown: Shown) -> str:
    """`kernel edge 3x3x1, strides 1, padding same, bias 0`."""
    from cnnctl.convolve.lesson import show

    what = shown.lesson.filter
    down, right = what.strides
    strides = down if down == right else f"{down}x{right}"
    size = "x".join(map(str, what.kernel.shape))
    return (
        f"kernel {printable(shown.kernel)} {size}, strides {strides}, padding {shown.padding}, bias {show(what.bias)}"
    )


def _print_stages(shown: Shown) -> None:
    from cnnctl.convolve.lesson import describe_pooling, show

    what, stages = shown.lesson.filter, shown.stages
    steps = [("picture", stages.picture), ("feature map", stages.feature_map), (what.activation, stages.activated)]
    if what.pooling is not None and stages.pooled is not None:
        steps.append((describe_pooling(what.pooling), stages.pooled))
    rows = [
        (name, "x".join(map(str, values.shape)), show(float(values.min())), show(float(values.max())))
        for name, values in steps
    ]
    print_table(("step", "shape", "smallest", "largest"), rows, (LEFT, RIGHT, RIGHT, RIGHT))

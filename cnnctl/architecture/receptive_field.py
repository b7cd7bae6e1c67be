"""Which input pixels one unit of a feature map looks at."""

from collections.abc import Sequence

from cnnctl.architecture.plan import LayerPlan
from cnnctl.layers.window import Span


def receptive_window(layers: Sequence[LayerPlan], row: int, column: int) -> tuple[Span, Span]:
    """The rows and columns of the image, in pixels, that one unit can see; (0, 0) where that is padding alone.

    `layers` lead to the unit, at (row, column) from 0 of the last one's output, which must have rows and columns.

    Source: Araujo, Norris and Sim 2019, section "Solving for receptive field region"
    (https://distill.pub/2019/computing-receptive-fields).
    """
    rows, columns = ((row, row + 1), (column, column + 1))
    for layer in reversed(layers):
        rows, columns = (_inside(layer, axis, span) for axis, span in enumerate((rows, columns)))
    return rows, columns


def _inside(plan: LayerPlan, axis: int, span: Span) -> Span:
    """What a layer needs of its input along an axis for a span of its output, without the padding around that."""
    assert len(plan.output_shape) == 3, f"{plan.name} has no rows and columns"
    size = plan.input_shape[axis]
    begin, end = plan.layer.input_span(axis, span, size)
    begin, end = max(begin, 0), min(end, size)
    return (begin, end) if begin < end and span[0] < span[1] else (0, 0)

"""Which input pixels one unit of a feature map looks at."""

from collections.abc import Sequence

from cnnctl.architecture import arithmetic
from cnnctl.architecture.plan import LayerPlan
from cnnctl.config import layers as kinds

Span = tuple[int, int]
"""The first row (or column) and the one after the last."""


def receptive_window(layers: Sequence[LayerPlan], row: int, column: int) -> tuple[Span, Span]:
    """The rows and columns of the image that one unit can see.

    Args:
        layers: The layers from the first one to the unit's, whose output must have rows and columns.
        row: Of the unit, from 0.
        column: Of the unit, from 0.

    Returns:
        The span of rows and of columns in pixels of the image, (0, 0) where a unit sees nothing but padding.

    Source: Araujo, Norris and Sim 2019, section "Solving for receptive field region"
    (https://distill.pub/2019/computing-receptive-fields).
    """
    rows, columns = ((row, row + 1), (column, column + 1))
    for layer in reversed(layers):
        rows, columns = (_inside(layer, axis, span) for axis, span in enumerate((rows, columns)))
    return rows, columns


def _inside(plan: LayerPlan, axis: int, span: Span) -> Span:
    """What a layer needs of its input, without the padding around that."""
    begin, end = _before(plan, axis, span)
    begin, end = max(begin, 0), min(end, plan.input_shape[axis])
    return (begin, end) if begin < end and span[0] < span[1] else (0, 0)


def _before(plan: LayerPlan, axis: int, span: Span) -> Span:
    """What a layer needs of its input along an axis for a span of its output."""
    layer = plan.layer
    match layer:
        case kinds.Conv2D() | kinds.DepthwiseConv2D() | kinds.SeparableConv2D():
            kernel = arithmetic.effective_size(layer.kernel_size[axis], layer.dilation_rate[axis])
            return _slide(plan, axis, span, kernel, layer.strides[axis], layer.padding == "same")
        case kinds.MaxPooling2D() | kinds.AveragePooling2D() | kinds.L2Pooling2D():
            return _slide(plan, axis, span, layer.pool_size[axis], layer.steps[axis], layer.padding == "same")
        case kinds.ZeroPadding2D():
            zeros = layer.padding[axis][0]
            return span[0] - zeros, span[1] - zeros
        case _:
            assert len(plan.output_shape) == 3, f"{plan.name} has no rows and columns"
            return span


def _slide(plan: LayerPlan, axis: int, span: Span, kernel: int, stride: int, same: bool) -> Span:
    size = plan.input_shape[axis]
    zeros = arithmetic.same_padding(size, kernel, stride) // 2 if same else plan.zeros[axis][0]
    return span[0] * stride - zeros, (span[1] - 1) * stride - zeros + kernel

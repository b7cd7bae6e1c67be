"""Reshaping: the same values in another shape, or with zeros around them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cnnctl.layers.base import BaseLayer
from cnnctl.layers.notation import Shape, format_padding
from cnnctl.layers.window import Span, State, Step
from cnnctl.settings import ZeroPadding, described

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values
    from cnnctl.layers.onnx_graph import OnnxGraph


class ZeroPadding2D(BaseLayer):
    """Adds rows and columns of zeros around the image."""

    is_transparent = True
    is_linear = True

    padding: Annotated[
        ZeroPadding, described("Number of rows and columns of zeros: n, or [[top, bottom], [left, right]].", 1)
    ] = ((1, 1), (1, 1))

    def apply(self, state: State) -> Step:
        height, width, channels = self.need_image(state.shape)
        (top, bottom), (left, right) = self.padding
        return Step(State((height + top + bottom, width + left + right, channels), state.field, state.jump))

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        import numpy as np

        return np.pad(values, (*self.padding, (0, 0)))

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        (top, bottom), (left, right) = self.padding
        return graph.node("Pad", value, graph.constant([0, 0, top, left, 0, 0, bottom, right], "int64"))

    def formulas(self, shape: Shape) -> list[str]:
        names = zip(("height", "width"), shape, self.padding, strict=False)
        return [f"{name}: {size} + {one} + {other} = {size + one + other}" for name, size, (one, other) in names]

    def input_span(self, axis: int, span: Span, size: int) -> Span:
        zeros = self.padding[axis][0]
        return span[0] - zeros, span[1] - zeros

    def settings_text(self) -> str:
        return format_padding(self.padding)


class Flatten(BaseLayer):
    """Flattens rows, columns and channels into one vector."""

    flattens = True
    is_transparent = True
    is_linear = True

    def apply(self, state: State) -> Step:
        return Step(State((math.prod(state.shape),), None))

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        return values.reshape(-1)

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        return graph.reshape(value, shape, (math.prod(shape),))

    def formulas(self, shape: Shape) -> list[str]:
        return [f"features: {' * '.join(map(str, shape))} = {math.prod(shape)}"]

"""Pooling: windows of rows and columns, or all of them, to one value."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from cnnctl.layers.base import BaseLayer
from cnnctl.layers.notation import Shape, format_pair, format_shape
from cnnctl.layers.window import State, Step, Window
from cnnctl.settings import OrNone, Pair, PoolPadding, described

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values
    from cnnctl.layers.onnx_graph import OnnxGraph

Padded = Annotated[
    PoolPadding, described("valid: whole windows only; same: output size is input / strides, rounded up.")
]

_EPSILON = 1e-6
"""That of the Keras layer L2Pooling2D."""


class _PoolSizeIfNone:
    """Annotation of the strides: null means the pool_size, which is validated before."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def fill(strides: tuple[int, int] | None, info: ValidationInfo) -> tuple[int, int] | None:
            return info.data.get("pool_size") if strides is None else strides

        return core_schema.with_info_after_validator_function(fill, core_schema.nullable_schema(handler(source)))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        built: dict[str, Any] = handler(schema)
        return {**built, "anyOf": [*built["anyOf"], {"type": "null"}]}


class _Pooling(BaseLayer):
    outside: ClassVar[float]
    """What padding counts as; NaN is left out of a mean."""
    joins_by: ClassVar[str]
    """What each output is of its window, in words."""

    pool_size: Annotated[Pair, described("Height and width of the window, in pixels.", 2)]
    strides: Annotated[Pair, _PoolSizeIfNone(), OrNone, described("Step of the window; default: pool_size.", 2)] = (
        Field(default=None, validate_default=True)
    )
    padding: Padded = "valid"

    @property
    def window(self) -> Window:
        return Window(self.pool_size, self.strides, self.padding, (1, 1), "pool_size", "pooling")

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import windows

        return self.join(windows(values, self.window, self.outside))

    def join(self, seen: "Values") -> "Values":
        """The values of windows, along the first axis, as one each."""
        raise NotImplementedError

    def apply(self, state: State) -> Step:
        self.need_image(state.shape)
        after, lost = self.window.slide(state)
        return Step(after, lost=lost)

    def formulas(self, shape: Shape) -> list[str]:
        return self.window.formulas(shape)

    def settings_text(self) -> str:
        return ", ".join([f"window {format_shape(self.pool_size)}", *self.window.words()])

    def picture_text(self) -> str:
        step = [] if self.strides == self.pool_size else [f"stride {format_pair(self.strides)}"]
        return ", ".join([format_shape(self.pool_size), *step])


class MaxPooling2D(_Pooling):
    """The largest value of each window."""

    takes_maximum = True
    is_transparent = True
    outside = -math.inf
    joins_by = "the largest value"

    def join(self, seen: "Values") -> "Values":
        largest: Values = seen.max(axis=0)
        return largest

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        return graph.node("MaxPool", graph.beside_zeros(value), **graph.slides(self.window, shape))


class AveragePooling2D(_Pooling):
    """The mean of each window. Padding is not counted."""

    is_transparent = True
    is_linear = True
    outside = math.nan
    joins_by = "the mean"

    def join(self, seen: "Values") -> "Values":
        import numpy as np

        mean: Values = np.nanmean(seen, axis=0)
        return mean

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        return graph.node(
            "AveragePool", graph.beside_zeros(value), **graph.slides(self.window, shape), count_include_pad=0
        )


class L2Pooling2D(_Pooling):
    """The square root of the sum of squares of each window."""

    keras_class = "cnnctl>L2Pooling2D"
    outside = 0.0
    joins_by = "the root of the sum of squares"

    def join(self, seen: "Values") -> "Values":
        import numpy as np

        root: Values = np.sqrt(np.square(seen).sum(axis=0) + _EPSILON)
        return root

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        squares = graph.node("Mul", value, value)
        means = graph.node("AveragePool", squares, **graph.slides(self.window, shape), count_include_pad=1)
        sums = graph.node("Mul", means, graph.constant(float(math.prod(self.pool_size))))
        return graph.node("Sqrt", graph.node("Add", sums, graph.constant(_EPSILON)))


class _GlobalPooling(BaseLayer):
    onnx_operator: ClassVar[str]

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        pooled, made = graph.node(self.onnx_operator, value), self.apply(State(shape)).state.shape
        return graph.reshape(pooled, (1, 1, shape[2]), made) if len(made) == 1 else pooled

    def apply(self, state: State) -> Step:
        return Step(State((self.need_image(state.shape)[2],), None))

    def formulas(self, shape: Shape) -> list[str]:
        return [f"features: one for each of {shape[-1]} channels of {format_shape(shape[:2])}"]


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel."""

    is_linear = True
    onnx_operator = "GlobalAveragePool"

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        mean: Values = values.mean(axis=(0, 1))
        return mean


class GlobalMaxPooling2D(_GlobalPooling):
    """The largest value of each channel."""

    takes_maximum = True
    is_transparent = True
    onnx_operator = "GlobalMaxPool"

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        largest: Values = values.max(axis=(0, 1))
        return largest

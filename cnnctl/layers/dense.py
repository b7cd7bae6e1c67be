"""Fully connected layers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cnnctl.layers import arithmetic
from cnnctl.layers.base import (
    Activation,
    BaseLayer,
    Bias,
    Penalty,
    Trainable,
    ending,
    parameters,
)
from cnnctl.layers.initializers import BiasInitializer, Initializer
from cnnctl.layers.notation import Shape, format_shape
from cnnctl.layers.window import ImpossibleLayerError, State, Step
from cnnctl.settings import Count, described

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values
    from cnnctl.layers.onnx_graph import OnnxGraph


class Dense(BaseLayer):
    """A fully connected layer."""

    learns = True

    units: Annotated[Count, described("Number of neurons.", 128)]
    activation: Activation = "linear"
    use_bias: Bias = True
    trainable: Trainable = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: BiasInitializer = "zeros"
    kernel_regularizer: Penalty = None

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        return ((shape[0], self.units), *([(self.units,)] if self.use_bias else []))

    def apply(self, state: State) -> Step:
        inputs = need_vector(state.shape, "dense", "before it")
        weights = arithmetic.dense_parameters(inputs, self.units, self.use_bias)
        step = Step(State((self.units,), None), weights, multiply_adds=inputs * self.units)
        return step.learning(self.trainable)

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import activate

        made = values @ weights[0]
        return activate(made + weights[1] if self.use_bias else made, self.activation)

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        return graph.activate(graph.node("Gemm", value, *map(graph.constant, weights)), self.activation)

    def unit_weights(self, shape: Shape, weights: Sequence["Values"], channel: int) -> "tuple[slice, Values]":
        return slice(0, shape[0]), weights[0][:, channel]

    def formulas(self, shape: Shape) -> list[str]:
        bias = self.units if self.use_bias else 0
        return [parameters(f"{shape[0]} * {self.units}", self.apply(State(shape)), bias)]

    def settings_text(self) -> str:
        return ", ".join(
            [f"{self.units} unit{'s' * (self.units > 1)}", *ending(self.activation, self.use_bias, self.trainable)]
        )

    def picture_text(self) -> str:
        return ", ".join(ending(self.activation, use_bias=True))


def need_vector(shape: Shape, what: str, where: str) -> int:
    """The features of an input that must be a vector; the layer that would make one of it goes `where`.

    Raises:
        ImpossibleLayerError: it still has rows and columns.
    """
    if len(shape) != 1:
        raise ImpossibleLayerError(
            f"{what} needs a vector, but its input still has rows and columns",
            f"input {format_shape(shape)}",
            f"add `- flatten` or `- global_average_pooling2d` {where}",
        )
    return shape[0]

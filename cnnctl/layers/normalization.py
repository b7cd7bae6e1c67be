"""Normalization: values to mean 0 and deviation 1, then scaled and shifted; or scaled by numbers that are known."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cnnctl.layers.base import NOT_TRAINED, BaseLayer, Trainable, parameters
from cnnctl.layers.notation import Shape
from cnnctl.layers.window import ImpossibleLayerError, State, Step
from cnnctl.settings import Epsilon, Numbers, described

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values
    from cnnctl.layers.onnx_graph import OnnxGraph

Center = Annotated[bool, described("Whether to add a learned offset (beta).")]
Scale = Annotated[bool, described("Whether to multiply by a learned factor (gamma).")]


class BatchNormalization(BaseLayer):
    """Normalizes each channel to mean 0 and standard deviation 1 over the batch, then scales and shifts it.

    With `trainable: false` it normalizes by its moving mean and variance in training too, and keeps them.
    """

    is_transparent = True
    is_linear = True

    momentum: Annotated[float, described("Momentum of the moving mean and variance.", ge=0, lt=1)] = 0.99
    epsilon: Epsilon = 0.001
    center: Center = True
    scale: Scale = True
    trainable: Trainable = True

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        return ((shape[-1],),) * (self.scale + self.center + 2)

    def apply(self, state: State) -> Step:
        channels = state.shape[-1]
        return Step(state, channels * (self.center + self.scale), 2 * channels).learning(self.trainable)

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import normalize

        *learned, mean, variance = weights
        return normalize(values, mean, variance, self.epsilon, *_gamma_and_beta(learned, self.scale, self.center))

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        import numpy as np

        *learned, mean, variance = (np.asarray(one, np.float64) for one in weights)
        gamma, beta = _gamma_and_beta(learned, self.scale, self.center)
        factor = gamma / np.sqrt(variance + self.epsilon)
        return graph.scale(value, factor, beta - mean * factor, shape)

    def formulas(self, shape: Shape) -> list[str]:
        step, channels = self.apply(State(shape)), shape[-1]
        line = parameters(f"{2 + self.center + self.scale} * {channels}", step)
        return [f"{line}, of which {2 * channels:,} moving means and variances are not trained"]

    def settings_text(self) -> str:
        return "" if self.trainable else NOT_TRAINED


class LayerNormalization(BaseLayer):
    """Normalizes the channels of each position to mean 0 and standard deviation 1, then scales and shifts them."""

    is_transparent = True

    epsilon: Epsilon = 0.001
    center: Center = True
    scale: Scale = True
    trainable: Trainable = True

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        return ((shape[-1],),) * (self.scale + self.center)

    def apply(self, state: State) -> Step:
        return Step(state, state.shape[-1] * (self.center + self.scale)).learning(self.trainable)

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import normalize

        mean, variance = values.mean(axis=-1, keepdims=True), values.var(axis=-1, keepdims=True)
        return normalize(values, mean, variance, self.epsilon, *_gamma_and_beta(weights, self.scale, self.center))

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        centred = graph.node("Sub", value, graph.node("ReduceMean", value, axes=[1]))
        variance = graph.node("ReduceMean", graph.node("Mul", centred, centred), axes=[1])
        deviation = graph.node("Sqrt", graph.node("Add", variance, graph.constant(self.epsilon)))
        normal = graph.node("Div", centred, deviation)
        return graph.scale(normal, *_gamma_and_beta(weights, self.scale, self.center), shape)

    def formulas(self, shape: Shape) -> list[str]:
        return [parameters(f"{self.center + self.scale} * {shape[-1]}", self.apply(State(shape)))]

    def settings_text(self) -> str:
        return "" if self.trainable else NOT_TRAINED


class Rescaling(BaseLayer):
    """x * scale + offset. Nothing of it is learned."""

    is_transparent = True
    is_linear = True

    scale: Annotated[Numbers, described("Factor, or a list of one for each channel.", 0.125)]
    offset: Annotated[Numbers, described("What is added afterwards, or a list of it for each channel.")] = 0.0

    def apply(self, state: State) -> Step:
        for key, numbers in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(numbers, tuple) and len(numbers) != state.shape[-1]:
                raise ImpossibleLayerError(
                    "there must be a number for each channel",
                    f"{len(numbers)} numbers, {state.shape[-1]} channels",
                    "give one number or one for each channel",
                    key,
                )
        return Step(state)

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        import numpy as np

        scaled: Values = values * np.array(self.scale) + np.array(self.offset)
        return scaled

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        return graph.scale(value, self.scale, self.offset, shape)

    def settings_text(self) -> str:
        return ", ".join([f"scale {_short(self.scale)}", *([f"offset {_short(self.offset)}"] if self.offset else [])])

    def picture_text(self) -> str:
        return "" if isinstance(self.scale, tuple) else f"{self.scale:.3g}"


def _short(numbers: float | tuple[float, ...]) -> str:
    """`0.111`, or `[0.25, 0.5]`."""
    return f"[{', '.join(map(_short, numbers))}]" if isinstance(numbers, tuple) else f"{numbers:.3g}"


def _gamma_and_beta(learned: Sequence["Values"], scale: bool, center: bool) -> "tuple[Values | float, Values | float]":
    """The learned factor and offset; 1 and 0 where there is none."""
    return learned[0] if scale else 1.0, learned[-1] if center else 0.0

"""Normalization: values to mean 0 and deviation 1, then scaled and shifted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cnnctl.layers.base import BaseLayer, parameters
from cnnctl.layers.notation import Shape
from cnnctl.layers.window import State, Step
from cnnctl.settings import Epsilon, described

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values

Center = Annotated[bool, described("Whether to add a learned offset (beta).")]
Scale = Annotated[bool, described("Whether to multiply by a learned factor (gamma).")]


class BatchNormalization(BaseLayer):
    """Normalizes each channel to mean 0 and standard deviation 1 over the batch, then scales and shifts it."""

    is_transparent = True
    is_linear = True

    momentum: Annotated[float, described("Momentum of the moving mean and variance.", ge=0, lt=1)] = 0.99
    epsilon: Epsilon = 0.001
    center: Center = True
    scale: Scale = True

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        return ((shape[-1],),) * (self.scale + self.center + 2)

    def apply(self, state: State) -> Step:
        channels = state.shape[-1]
        return Step(state, channels * (self.center + self.scale), 2 * channels)

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import normalize

        *learned, mean, variance = weights
        return normalize(values, mean, variance, self.epsilon, *_gamma_and_beta(learned, self.scale, self.center))

    def formulas(self, shape: Shape) -> list[str]:
        step, channels = self.apply(State(shape)), shape[-1]
        line = parameters(f"{2 + self.center + self.scale} * {channels}", step)
        return [f"{line}, of which {step.fixed:,} moving means and variances are not trained"]


class LayerNormalization(BaseLayer):
    """Normalizes the channels of each position to mean 0 and standard deviation 1, then scales and shifts them."""

    is_transparent = True

    epsilon: Epsilon = 0.001
    center: Center = True
    scale: Scale = True

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        return ((shape[-1],),) * (self.scale + self.center)

    def apply(self, state: State) -> Step:
        return Step(state, state.shape[-1] * (self.center + self.scale))

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import normalize

        mean, variance = values.mean(axis=-1, keepdims=True), values.var(axis=-1, keepdims=True)
        return normalize(values, mean, variance, self.epsilon, *_gamma_and_beta(weights, self.scale, self.center))

    def formulas(self, shape: Shape) -> list[str]:
        return [parameters(f"{self.center + self.scale} * {shape[-1]}", self.apply(State(shape)))]


def _gamma_and_beta(learned: Sequence["Values"], scale: bool, center: bool) -> "tuple[Values | float, Values | float]":
    """The learned factor and offset; 1 and 0 where there is none."""
    return learned[0] if scale else 1.0, learned[-1] if center else 0.0

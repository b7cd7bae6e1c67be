"""Convolutions."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from cnnctl.layers.arithmetic import effective_size
from cnnctl.layers.base import Activation, BaseLayer, Bias, Penalty, Trainable, ending, parameters
from cnnctl.layers.initializers import DIRAC, BiasInitializer, FilterInitializer, Initializer, Whitening
from cnnctl.layers.notation import Shape, format_pair, format_shape
from cnnctl.layers.window import ImpossibleLayerError, State, Step, Window
from cnnctl.settings import Count, Padding, Pair, described

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values
    from cnnctl.layers.onnx_graph import OnnxGraph

Multiplier = Annotated[Count, described("Number of kernels for each channel.")]


class _Convolution(BaseLayer):
    learns = True

    kernel_size: Annotated[Pair, described("Height and width of the kernel, in pixels.", 3)]
    strides: Annotated[Pair, described("Step of the kernel, in pixels.", 2)] = (1, 1)
    padding: Annotated[
        Padding,
        described("valid (none), same, or the number of zeros per side: n, or [[top, bottom], [left, right]].", "same"),
    ] = "valid"
    dilation_rate: Annotated[Pair, described("Distance between the elements of the kernel, in pixels.", 2)] = (1, 1)
    activation: Activation = "linear"
    use_bias: Bias = True
    trainable: Trainable = True

    @field_validator("dilation_rate")
    @classmethod
    def _not_with_strides(cls, dilation_rate: tuple[int, int], info: ValidationInfo) -> tuple[int, int]:
        strides = info.data.get("strides")
        if strides is not None and max(strides) > 1 and max(dilation_rate) > 1:
            raise PydanticCustomError(
                "strides_and_dilation", "strides above 1 cannot be combined with a dilation_rate above 1"
            )
        return dilation_rate

    def output_channels(self, channels: int) -> int:
        """Channels of its output for those of its input."""
        raise NotImplementedError

    def kernel_products(self, channels: int) -> list[tuple[int, ...]]:
        """The factors of the weights of each of its kernels, without the biases."""
        raise NotImplementedError

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.padding, self.dilation_rate, "kernel_size", "convolution")

    def keras_arguments(self) -> dict[str, Any]:
        padding = self.padding if isinstance(self.padding, str) else "valid"
        return {**super().keras_arguments(), "padding": padding}

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        kernels = [factors if len(factors) == 4 else (1, 1, *factors) for factors in self.kernel_products(shape[2])]
        return (*kernels, *([(self.output_channels(shape[2]),)] if self.use_bias else []))

    def apply(self, state: State) -> Step:
        channels = self.need_image(state.shape)[2]
        after, lost = self.window.slide(state)

        filters, weights = self.output_channels(channels), sum(map(math.prod, self.kernel_products(channels)))
        height, width, _ = after.shape
        made = State((height, width, filters), after.field, after.jump)
        biases = filters if self.use_bias else 0
        step = Step(made, weights + biases, multiply_adds=height * width * weights, lost=lost)
        return step.learning(self.trainable)

    def formulas(self, shape: Shape) -> list[str]:
        step, bias = self.apply(State(shape)), self.output_channels(shape[2]) if self.use_bias else 0
        products = " + ".join(" * ".join(map(str, factors)) for factors in self.kernel_products(shape[2]))
        return [*self.window.formulas(shape), parameters(products, step, bias)]

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import activate

        made = self.weigh(values, weights)
        return activate(made + weights[-1] if self.use_bias else made, self.activation)

    def weigh(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        """Its output before bias and activation."""
        raise NotImplementedError

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        bias = weights[-1] if self.use_bias else None
        return graph.activate(self.weigh_onnx(graph, value, shape, weights, bias), self.activation)

    def weigh_onnx(
        self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"], bias: "Values | None"
    ) -> str:
        """Write its output before the activation into a graph; the name of it."""
        raise NotImplementedError

    def kernel_text(self) -> str:
        """The kernels in a few words."""
        raise NotImplementedError

    def settings_text(self) -> str:
        how = ending(self.activation, self.use_bias, self.trainable)
        return ", ".join([self.kernel_text(), *self.window.words(), *how])

    def picture_text(self) -> str:
        step = [] if self.strides == (1, 1) else [f"stride {format_pair(self.strides)}"]
        spread = [] if self.dilation_rate == (1, 1) else [f"dilation {format_pair(self.dilation_rate)}"]
        return ", ".join([format_shape(self.kernel_size), *step, *spread, *ending(self.activation, use_bias=True)])


class _Depthwise(_Convolution):
    is_depthwise = True

    @field_validator("strides")
    @classmethod
    def _equal(cls, strides: tuple[int, int]) -> tuple[int, int]:
        if strides[0] != strides[1]:
            raise PydanticCustomError("equal_strides", "a depthwise convolution has the same stride in both directions")
        return strides


class Conv2D(_Convolution):
    """2D convolution (cross-correlation) over all channels."""

    filters: Annotated[Count, described("Number of kernels; equals the number of output channels.", 32)]
    groups: Annotated[Count, described("Number of groups into which the channels are divided.")] = 1
    kernel_initializer: FilterInitializer = "glorot_uniform"
    bias_initializer: BiasInitializer = "zeros"
    kernel_regularizer: Penalty = None

    def output_channels(self, channels: int) -> int:
        return self.filters

    def kernel_products(self, channels: int) -> list[tuple[int, ...]]:
        return [(*self.kernel_size, channels // self.groups, self.filters)]

    def weigh(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import convolve

        return convolve(values, weights[0], self.window, self.groups)

    def weigh_onnx(
        self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"], bias: "Values | None"
    ) -> str:
        return graph.convolve(value, weights[0], bias, self.window, shape, self.groups)

    @property
    def begins_with_images(self) -> bool:
        return isinstance(self.kernel_initializer, Whitening)

    def first_weights(self, drawn: Sequence["Values"]) -> Sequence["Values"]:
        if self.kernel_initializer != DIRAC:
            return drawn
        from cnnctl.layers.first_weights import dirac

        return [dirac(drawn[0], self.groups), *drawn[1:]]

    def fitted_weights(self, drawn: Sequence["Values"], inputs: Iterable["Values"]) -> Sequence["Values"]:
        from cnnctl.layers.first_weights import covariance, whitening

        assert isinstance(self.kernel_initializer, Whitening)
        spread = covariance(inputs, self.window)
        return [whitening(spread, drawn[0].shape, self.kernel_initializer.epsilon), *drawn[1:]]

    def unit_weights(self, shape: Shape, weights: Sequence["Values"], channel: int) -> "tuple[slice, Values]":
        size = shape[2] // self.groups
        first = channel // (self.filters // self.groups) * size
        return slice(first, first + size), weights[0][:, :, :, channel]

    def apply(self, state: State) -> Step:
        channels, groups, filters = self.need_image(state.shape)[2], self.groups, self.filters
        if channels % groups == filters % groups == 0:
            step = super().apply(state)
            if self.begins_with_images:
                self._insist_on_patches(state.shape)
            return step
        most = max(n for n in range(1, groups + 1) if channels % n == 0 and filters % n == 0)
        raise ImpossibleLayerError(
            "groups must divide the channels of the input and the filters",
            f"groups={groups}, {channels} channels, filters={filters}",
            f"the largest number that divides both, up to {groups}, is {most}",
            "groups",
        )

    def _insist_on_patches(self, shape: Shape) -> None:
        """Refuse more filters than whitening gives, and images without a whole patch."""
        height, width = self.kernel_size
        values = height * width * shape[2]
        spans = map(effective_size, self.kernel_size, self.dilation_rate)
        if any(span > size for span, size in zip(spans, shape, strict=False)):
            raise ImpossibleLayerError(
                "whitening needs images that a whole kernel fits into",
                f"input {format_shape(shape[:2])}, kernel_size {height}x{width}",
                "choose a smaller kernel, or make the images at least {least}",
                "kernel_size",
            )
        if self.groups > 1:
            received, mend = f"groups={self.groups}", "remove groups, or choose another kernel_initializer"
            raise ImpossibleLayerError("whitening looks at all channels at once", received, mend, "groups")
        if self.filters > 2 * values:
            raise ImpossibleLayerError(
                f"whitening gives {2 * values} filters of {height}x{width}x{shape[2]} values at most",
                f"filters={self.filters}",
                f"set filters to {2 * values} (2 * {height} * {width} * {shape[2]}) or fewer",
                "filters",
            )

    def kernel_text(self) -> str:
        return f"{self.filters} filters {format_shape(self.kernel_size)}"

    def settings_text(self) -> str:
        whitens = ["whitening"] if self.begins_with_images else []
        groups = [f"{self.groups} groups"] if self.groups > 1 else []
        return ", ".join([super().settings_text(), *groups, *whitens])


class DepthwiseConv2D(_Depthwise):
    """Convolves each channel with its own kernel, or with `depth_multiplier` kernels."""

    depth_multiplier: Multiplier = 1
    depthwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: BiasInitializer = "zeros"
    depthwise_regularizer: Penalty = None

    def output_channels(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def kernel_products(self, channels: int) -> list[tuple[int, ...]]:
        return [(*self.kernel_size, channels, self.depth_multiplier)]

    def weigh(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import convolve_depthwise

        return convolve_depthwise(values, weights[0], self.window)

    def weigh_onnx(
        self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"], bias: "Values | None"
    ) -> str:
        return graph.convolve(value, _by_groups(weights[0]), bias, self.window, shape, shape[2])

    def unit_weights(self, shape: Shape, weights: Sequence["Values"], channel: int) -> "tuple[slice, Values]":
        own, number = divmod(channel, self.depth_multiplier)
        return slice(own, own + 1), weights[0][:, :, own : own + 1, number]

    def kernel_text(self) -> str:
        times = f", depth multiplier {self.depth_multiplier}" if self.depth_multiplier > 1 else ""
        return f"one kernel {format_shape(self.kernel_size)} a channel{times}"


class SeparableConv2D(_Depthwise):
    """A depthwise convolution followed by a 1x1 convolution."""

    filters: Annotated[Count, described("Number of output channels.", 32)]
    depth_multiplier: Multiplier = 1
    depthwise_initializer: Initializer = "glorot_uniform"
    pointwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: BiasInitializer = "zeros"
    depthwise_regularizer: Penalty = None
    pointwise_regularizer: Penalty = None

    def output_channels(self, channels: int) -> int:
        return self.filters

    def kernel_products(self, channels: int) -> list[tuple[int, ...]]:
        times = self.depth_multiplier
        return [(*self.kernel_size, channels, times), (channels * times, self.filters)]

    def weigh(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import convolve_depthwise

        mixed: Values = convolve_depthwise(values, weights[0], self.window) @ weights[1][0, 0]
        return mixed

    def weigh_onnx(
        self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"], bias: "Values | None"
    ) -> str:
        value = graph.convolve(value, _by_groups(weights[0]), None, self.window, shape, shape[2])
        height, width, _ = self.apply(State(shape)).state.shape
        return graph.convolve(value, weights[1], bias, _PIXEL, (height, width, weights[1].shape[2]))

    def unit_weights(self, shape: Shape, weights: Sequence["Values"], channel: int) -> "tuple[slice, Values]":
        mixed = weights[1][0, 0, :, channel].reshape(weights[0].shape[2:])  # of each depthwise kernel
        kernel: Values = (weights[0] * mixed).sum(axis=3)
        return slice(0, shape[2]), kernel

    def kernel_text(self) -> str:
        return f"{self.filters} filters {format_shape(self.kernel_size)}"


_PIXEL = Window((1, 1), (1, 1), "valid", (1, 1), "kernel_size", "convolution")


def _by_groups(kernels: "Values") -> "Values":
    """Depthwise kernels, (height, width, channels, kernels for each), as those of groups of one channel."""
    height, width, channels, each = kernels.shape
    return kernels.reshape(height, width, 1, channels * each)

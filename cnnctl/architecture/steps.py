"""One layer and what flows into it -> what flows out of it, and what the layer costs."""

import math
from dataclasses import dataclass
from typing import assert_never

from cnnctl.architecture import arithmetic
from cnnctl.architecture.notation import NO_SIDES, Shape, format_padding, format_shape, substitute
from cnnctl.config import layers as kinds
from cnnctl.config.layers import RealLayer
from cnnctl.config.types import Sides


class ImpossibleLayerError(Exception):
    """Raised where a layer does not fit its input: message, the arithmetic, the mend, and the key to blame."""

    def __init__(self, message: str, received: str, hint: str, key: str | None = None) -> None:
        super().__init__(message)
        self.message, self.received, self.hint, self.key = message, received, hint, key


@dataclass(frozen=True)
class State:
    """What flows between layers: the shape, and the receptive field and jump of each axis (None: the whole image)."""

    shape: Shape
    field: tuple[int, int] | None = (1, 1)
    jump: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Step:
    """What a layer makes of a state."""

    state: State
    trainable: int = 0
    fixed: int = 0
    multiply_adds: int = 0
    zeros: Sides = NO_SIDES
    lost: tuple[int, int] = (0, 0)


def take_step(layer: RealLayer, state: State, is_output: bool = False) -> Step:
    """What a layer makes of what flows into it.

    Args:
        layer: Its settings.
        state: Of its input.
        is_output: Whether it is the output layer, which no line of the config says.

    Raises:
        ImpossibleLayerError: it does not fit.
    """
    match layer:
        case kinds.Conv2D():
            return _convolution(layer, state, layer.filters, layer.groups)
        case kinds.DepthwiseConv2D():
            channels = _need_image(layer, state.shape)[2]
            return _convolution(layer, state, channels * layer.depth_multiplier, channels)
        case kinds.SeparableConv2D():
            return _separable(layer, state)
        case kinds.MaxPooling2D() | kinds.AveragePooling2D() | kinds.L2Pooling2D():
            return _pooling(layer, state)
        case kinds.GlobalAveragePooling2D() | kinds.GlobalMaxPooling2D():
            return Step(State((_need_image(layer, state.shape)[2],), None))
        case kinds.ZeroPadding2D():
            height, width, channels = _need_image(layer, state.shape)
            (top, bottom), (left, right) = layer.padding
            shape = (height + top + bottom, width + left + right, channels)
            return Step(State(shape, state.field, state.jump))
        case kinds.BatchNormalization():
            channels = state.shape[-1]
            return Step(state, channels * (layer.center + layer.scale), 2 * channels)
        case kinds.LayerNormalization():
            return Step(state, state.shape[-1] * (layer.center + layer.scale))
        case kinds.SpatialDropout2D():
            _need_image(layer, state.shape)
            return Step(state)
        case kinds.ActivationLayer() | kinds.LeakyReLU() | kinds.Dropout():
            return Step(state)
        case kinds.Flatten():
            return Step(State((math.prod(state.shape),), None))
        case kinds.Dense():
            return _dense(layer, state, is_output)
        case _:
            assert_never(layer)


def _need_image(layer: RealLayer, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ImpossibleLayerError(
            f"{layer.kind} needs rows and columns, but the image is flat by here",
            f"input {format_shape(shape)}",
            "move it before the flatten or the global pooling",
        )
    return (shape[0], shape[1], shape[2])


Convolution = kinds.Conv2D | kinds.DepthwiseConv2D | kinds.SeparableConv2D
Pooling = kinds.MaxPooling2D | kinds.AveragePooling2D | kinds.L2Pooling2D


def _windows(
    layer: Convolution | Pooling,
    state: State,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    padding: str | Sides,
    key: str,
) -> tuple[tuple[int, int], State, Sides, tuple[int, int]]:
    """Output sides, the state with its receptive field, the explicit zeros and what is lost, for sliding windows."""
    height, width, channels = _need_image(layer, state.shape)
    zeros = NO_SIDES if isinstance(padding, str) else padding
    sides: list[int] = []
    lost: list[int] = []
    for size, side, step, spread, (before, after) in zip(
        (height, width), kernel, strides, dilation, zeros, strict=True
    ):
        if padding == "same":
            sides.append(arithmetic.same_size(size, step))
            lost.append(0)
            continue
        sides.append(arithmetic.output_size(size, side, step, before + after, spread))
        lost.append(max(0, arithmetic.unused_pixels(size, side, step, before + after, spread) - after))
    if min(sides) < 1:
        axis = 0 if sides[0] < 1 else 1
        raise ImpossibleLayerError(
            "the output would be empty",
            f"input {height}x{width}, {key} {kernel[0]}x{kernel[1]}, strides {strides[0]}x{strides[1]}, "
            f"{format_padding(padding)}: "
            + substitute((height, width)[axis], kernel[axis], strides[axis], sum(zeros[axis]), dilation[axis]),
            f"remove this {'pooling' if key == 'pool_size' else 'convolution'}, use padding: same, "
            "or make the images at least {least}",
            key,
        )
    grown = [
        arithmetic.grow_receptive_field(field, jump, side, step, spread)
        for field, jump, side, step, spread in zip(
            state.field or (1, 1), state.jump, kernel, strides, dilation, strict=True
        )
    ]
    field, jump = (grown[0][0], grown[1][0]), (grown[0][1], grown[1][1])
    after_state = State((*sides, channels), field if state.field else None, jump)
    return (sides[0], sides[1]), after_state, zeros, (lost[0], lost[1])


def _convolution(layer: kinds.Conv2D | kinds.DepthwiseConv2D, state: State, filters: int, groups: int) -> Step:
    channels = _need_image(layer, state.shape)[2]
    if isinstance(layer, kinds.Conv2D) and (channels % groups or filters % groups):
        raise ImpossibleLayerError(
            "groups must divide the channels of the input and the filters",
            f"groups={groups}, {channels} channels, filters={filters}",
            f"the largest number that divides both, up to {groups}, is "
            f"{max(n for n in range(1, groups + 1) if channels % n == 0 and filters % n == 0)}",
            "groups",
        )
    (height, width), after, zeros, lost = _windows(
        layer, state, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding, "kernel_size"
    )
    weights = arithmetic.convolution_parameters(layer.kernel_size, channels, filters, groups, use_bias=False)
    return Step(
        State((height, width, filters), after.field, after.jump),
        weights + (filters if layer.use_bias else 0),
        0,
        height * width * weights,
        zeros,
        lost,
    )


def _separable(layer: kinds.SeparableConv2D, state: State) -> Step:
    channels = _need_image(layer, state.shape)[2]
    (height, width), after, zeros, lost = _windows(
        layer, state, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding, "kernel_size"
    )
    middle = channels * layer.depth_multiplier
    weights = layer.kernel_size[0] * layer.kernel_size[1] * middle + middle * layer.filters
    return Step(
        State((height, width, layer.filters), after.field, after.jump),
        weights + (layer.filters if layer.use_bias else 0),
        0,
        height * width * weights,
        zeros,
        lost,
    )


def _pooling(layer: Pooling, state: State) -> Step:
    _, after, _, lost = _windows(layer, state, layer.pool_size, layer.steps, (1, 1), layer.padding, "pool_size")
    return Step(after, lost=lost)


def _dense(layer: kinds.Dense, state: State, is_output: bool) -> Step:
    if len(state.shape) != 1:
        what = "the output layer that is appended" if is_output else "dense"
        raise ImpossibleLayerError(
            f"{what} needs a vector, but the image still has rows and columns by here",
            f"input {format_shape(state.shape)}",
            f"add `- flatten` or `- global_average_pooling2d` {'as the last layer' if is_output else 'before it'}",
        )
    weights = state.shape[0] * layer.units
    return Step(
        State((layer.units,), None),
        arithmetic.dense_parameters(state.shape[0], layer.units, layer.use_bias),
        0,
        weights,
    )

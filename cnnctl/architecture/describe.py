"""A layer's settings in a few words, for tables."""

from typing import assert_never

from cnnctl.architecture.notation import format_padding, format_shape
from cnnctl.architecture.plan import LayerPlan
from cnnctl.config import layers as kinds
from cnnctl.config.types import Sides


def settings_text(row: LayerPlan) -> str:
    """The settings that matter, such as `32 filters 3x3, stride 2, padding same, relu`."""
    layer = row.layer
    match layer:
        case kinds.Conv2D():
            groups = [f"{layer.groups} groups"] if layer.groups > 1 else []
            return _join(f"{layer.filters} filters {format_shape(layer.kernel_size)}", *_convolution(layer), *groups)
        case kinds.DepthwiseConv2D():
            times = [f"depth multiplier {layer.depth_multiplier}"] if layer.depth_multiplier > 1 else []
            return _join(f"one kernel {format_shape(layer.kernel_size)} a channel", *times, *_convolution(layer))
        case kinds.SeparableConv2D():
            return _join(f"{layer.filters} filters {format_shape(layer.kernel_size)}", *_convolution(layer))
        case kinds.MaxPooling2D() | kinds.AveragePooling2D() | kinds.L2Pooling2D():
            return _join(f"window {format_shape(layer.pool_size)}", *_steps(layer.steps), *_padding(layer.padding))
        case kinds.ZeroPadding2D():
            return format_padding(layer.padding)
        case kinds.Dense():
            return _join(f"{layer.units} unit{'s' if layer.units > 1 else ''}", *_ending(layer))
        case kinds.ActivationLayer():
            return layer.activation
        case kinds.LeakyReLU():
            return f"slope {layer.negative_slope:g}"
        case kinds.Dropout() | kinds.SpatialDropout2D():
            return f"rate {layer.rate:g}"
        case (
            kinds.GlobalAveragePooling2D()
            | kinds.GlobalMaxPooling2D()
            | kinds.BatchNormalization()
            | kinds.LayerNormalization()
            | kinds.Flatten()
        ):
            return ""
        case _:
            assert_never(layer)


def _join(*parts: str) -> str:
    return ", ".join(parts)


def _steps(strides: tuple[int, int]) -> list[str]:
    return [f"stride {strides[0] if strides[0] == strides[1] else format_shape(strides)}"]


def _padding(padding: str | Sides) -> list[str]:
    return [] if padding == "valid" else [format_padding(padding)]


def _convolution(layer: kinds.Conv2D | kinds.DepthwiseConv2D | kinds.SeparableConv2D) -> list[str]:
    spread = layer.dilation_rate
    dilation = [f"dilation {spread[0] if spread[0] == spread[1] else format_shape(spread)}"] if max(spread) > 1 else []
    return [*_steps(layer.strides), *_padding(layer.padding), *dilation, *_ending(layer)]


def _ending(layer: kinds.Conv2D | kinds.DepthwiseConv2D | kinds.SeparableConv2D | kinds.Dense) -> list[str]:
    activation: list[str] = [] if layer.activation == "linear" else [layer.activation]
    return activation if layer.use_bias else [*activation, "no bias"]

"""The arithmetic of a layer with its numbers put in, for `summary --formulas`."""

import math
from typing import assert_never

from cnnctl.architecture import arithmetic
from cnnctl.architecture.notation import format_shape, substitute
from cnnctl.architecture.plan import LayerPlan
from cnnctl.config import layers as kinds


def formulas(plan: LayerPlan) -> list[str]:
    """How the output shape and the parameters of a layer come about, a line each.

    Example: for a 3x3 convolution of 32x32x3: `height: floor((32 - 3 + 0) / 1) + 1 = 30`.
    """
    layer = plan.layer
    match layer:
        case kinds.Conv2D() | kinds.DepthwiseConv2D() | kinds.SeparableConv2D():
            lines = _sides(plan, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding == "same")
            return [*lines, _convolution_parameters(plan, layer)]
        case kinds.MaxPooling2D() | kinds.AveragePooling2D() | kinds.L2Pooling2D():
            return _sides(plan, layer.pool_size, layer.steps, (1, 1), layer.padding == "same")
        case kinds.ZeroPadding2D():
            names = zip(("height", "width"), plan.input_shape, layer.padding, plan.output_shape, strict=False)
            return [f"{name}: {size} + {before} + {after} = {out}" for name, size, (before, after), out in names]
        case kinds.Flatten():
            return [f"features: {' * '.join(map(str, plan.input_shape))} = {math.prod(plan.input_shape)}"]
        case kinds.Dense():
            inputs = plan.input_shape[0]
            bias = f" + {layer.units} biases" if layer.use_bias else ""
            return [f"parameters: {inputs} * {layer.units}{bias} = {plan.params:,}"]
        case kinds.BatchNormalization():
            channels, parts = plan.input_shape[-1], 2 + layer.center + layer.scale
            averages = f"of which {2 * channels:,} moving means and variances are not trained"
            return [f"parameters: {parts} * {channels} = {plan.params:,}, {averages}"]
        case kinds.LayerNormalization():
            return [f"parameters: {layer.center + layer.scale} * {plan.input_shape[-1]} = {plan.params:,}"]
        case kinds.GlobalAveragePooling2D() | kinds.GlobalMaxPooling2D():
            return [
                f"features: one for each of {plan.input_shape[-1]} channels of {format_shape(plan.input_shape[:2])}"
            ]
        case kinds.ActivationLayer() | kinds.LeakyReLU() | kinds.Dropout() | kinds.SpatialDropout2D():
            return []
        case _:
            assert_never(layer)


def _sides(
    plan: LayerPlan, kernel: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int], same: bool
) -> list[str]:
    lines = []
    for axis, name in enumerate(("height", "width")):
        size = plan.input_shape[axis]
        if same:
            text = f"ceil({size} / {strides[axis]}) = {arithmetic.same_size(size, strides[axis])}"
        else:
            text = substitute(size, kernel[axis], strides[axis], sum(plan.zeros[axis]), dilation[axis])
        lines.append(f"{name}: {text}")
    return lines


def _convolution_parameters(
    plan: LayerPlan, layer: kinds.Conv2D | kinds.DepthwiseConv2D | kinds.SeparableConv2D
) -> str:
    (high, wide), channels, filters = layer.kernel_size, plan.input_shape[2], plan.output_shape[2]
    bias = f" + {filters} biases" if layer.use_bias else ""
    match layer:
        case kinds.Conv2D():
            product = f"{high} * {wide} * {channels // layer.groups} * {filters}"
        case kinds.DepthwiseConv2D():
            product = f"{high} * {wide} * {channels} * {layer.depth_multiplier}"
        case kinds.SeparableConv2D():
            middle = channels * layer.depth_multiplier
            product = f"{high} * {wide} * {channels} * {layer.depth_multiplier} + {middle} * {filters}"
        case _:
            assert_never(layer)
    return f"parameters: {product}{bias} = {plan.params:,}"

"""What layers make of the values of one image, in numpy and float64: for people to follow, without Keras.

Results equal those of Keras' layers after training. Images are (height, width, channels).
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from cnnctl.layers.window import Window

Values = NDArray[np.float64]

LEAKY_SLOPE = 0.2
"""Keras' slope of the activation leaky_relu; that of its layer LeakyReLU is 0.3."""

_LARGEST_EXPONENT = 15.0


def _sigmoid(values: Values) -> Values:
    return (1 + np.tanh(values / 2)) / 2  # exp would overflow


def _softmax(values: Values) -> Values:
    exponentials = np.exp(values - values.max(axis=-1, keepdims=True))
    result: Values = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


_ACTIVATIONS: dict[str, Callable[[Values], Values]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "elu": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0.0)), x),
    "gelu": lambda x: x * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2))) / 2,
    "silu": lambda x: x * _sigmoid(x),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
}


def activate(values: Values, name: str, negative_slope: float = LEAKY_SLOPE) -> Values:
    """An activation of Keras by its name, with Keras' defaults; the shape stays.

    `softmax` is over the last axis, the channels; `negative_slope` is that of `leaky_relu`.
    """
    if name == "leaky_relu":
        return np.where(values < 0, negative_slope * values, values)
    if name not in _ACTIVATIONS:
        raise ValueError(name)
    return _ACTIVATIONS[name](values)


def exponent_shift(values: Values) -> float:
    """What to take off values before exp, so that it does not overflow: nothing from small ones, else the largest.

    Softmax is the same either way.
    """
    return 0.0 if float(np.abs(values).max()) <= _LARGEST_EXPONENT else float(values.max())


def convolve(values: Values, kernel: Values, window: Window, groups: int = 1) -> Values:
    """Cross-correlation of an image with kernels (height, width, channels of a group, kernels); no bias."""
    inputs, outputs = kernel.shape[2], kernel.shape[3] // groups
    made = []
    for group in range(groups):
        own = values[:, :, group * inputs : (group + 1) * inputs]
        weights = kernel[:, :, :, group * outputs : (group + 1) * outputs]
        made.append(sum(seen @ weights[tap] for tap, seen in taps(own, window)))
    return np.concatenate(made, axis=2)


def convolve_depthwise(values: Values, kernel: Values, window: Window) -> Values:
    """Each channel with kernels of its own, (height, width, channels, kernels for each channel); no bias."""
    made: Values = sum(seen[..., np.newaxis] * kernel[tap] for tap, seen in taps(values, window))
    return made.reshape(*made.shape[:2], -1)


def windows(values: Values, window: Window, outside: float = 0.0) -> Values:
    """What each output sees, in which padding counts as `outside`: (taps, rows, columns, channels)."""
    return np.stack([seen for _, seen in taps(values, window, outside)])


def taps(values: Values, window: Window, outside: float = 0.0) -> Iterator[tuple[tuple[int, int], Values]]:
    """Each (row, column) of a window, with what every output sees there: (rows, columns, channels)."""
    sides = window.sides(values.shape)
    padded = np.pad(values, (*sides, (0, 0)), constant_values=outside)
    (down, right), (row_step, column_step) = window.strides, window.dilation
    spans = [(size - 1) * step for size, step in zip(window.size, window.dilation, strict=True)]
    rows, columns = (padded.shape[axis] - spans[axis] for axis in (0, 1))
    for row in range(window.size[0]):
        for column in range(window.size[1]):
            top, left = row * row_step, column * column_step
            yield (row, column), padded[top : top + rows : down, left : left + columns : right]


def normalize(
    values: Values, mean: Values, variance: Values, epsilon: float, gamma: Values | float, beta: Values | float
) -> Values:
    """(values - mean) / sqrt(variance + epsilon) * gamma + beta."""
    made: Values = (values - mean) / np.sqrt(variance + epsilon) * gamma + beta
    return made

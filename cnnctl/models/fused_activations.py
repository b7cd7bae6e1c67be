"""GELU and SiLU in one pass over the values, and one for the gradient, for the network that trains on a processor.

TensorFlow computes each by half a dozen kernels, one after the other: 7 times the time. XLA makes one of them, in
float32 whatever the values are. The formulas are Keras'; TensorFlow backend only.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import tensorflow as tf

_Function = Callable[[Any], Any]

_ROOT_HALF = math.sqrt(0.5)
_PEAK = 1 / math.sqrt(2 * math.pi)
"""The density of the normal distribution at 0."""
_SURE = 4.0
"""From here on erf is 1 in float32."""


def fused(name: str) -> _Function | None:
    """The activation of a name, with its gradient; None where Keras' own is as fast, or XLA is not at hand."""
    if name not in _FORMULAS or tf.config.get_visible_devices("GPU") or not _compiles():
        return None
    return _fused(name)


@cache
def _compiles() -> bool:
    """Whether this build of TensorFlow has XLA for processors."""

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def doubled(value: Any) -> Any:
        return value + value

    try:
        return float(doubled(tf.constant(1.0))) == 2.0
    except tf.errors.OpError:
        return False


def _share_below(x: Any) -> Any:
    """P(X <= x) of a standard normal X. XLA's erf is not quite 1 where float32 has no number between."""
    z = x * _ROOT_HALF
    return 0.5 + 0.5 * tf.where(tf.abs(z) < _SURE, tf.math.erf(z), tf.sign(z))


def _gelu(x: Any) -> Any:
    return x * _share_below(x)


def _gelu_slope(x: Any) -> Any:
    return _share_below(x) + x * _PEAK * tf.exp(-0.5 * x * x)


def _silu(x: Any) -> Any:
    return x * tf.sigmoid(x)


def _silu_slope(x: Any) -> Any:
    share = tf.sigmoid(x)
    return share * (1 + x * (1 - share))


_FORMULAS: dict[str, tuple[_Function, _Function]] = {"gelu": (_gelu, _gelu_slope), "silu": (_silu, _silu_slope)}
"""The function and its derivative, of float32."""


@cache  # XLA compiles each once
def _fused(name: str) -> _Function:
    formula, slope = _FORMULAS[name]

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def values(inputs: Any) -> Any:
        return tf.cast(formula(tf.cast(inputs, tf.float32)), inputs.dtype)

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def gradients(inputs: Any, above: Any) -> Any:
        return tf.cast(tf.cast(above, tf.float32) * slope(tf.cast(inputs, tf.float32)), inputs.dtype)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def activation(inputs: Any) -> Any:
        return values(inputs), lambda above: gradients(inputs, above)

    made: _Function = activation
    return made

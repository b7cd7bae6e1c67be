"""Keras' Adam and SGD by TensorFlow's own kernels: one pass over each weight where Keras takes a dozen.

The formulas are the same; the sums are rounded in another order. TensorFlow backend only.
"""

from typing import Any

import keras
import tensorflow as tf

RMSprop = keras.optimizers.RMSprop


def _handle(variable: Any) -> Any:
    """Of Keras' variable, or of TensorFlow's own, which Keras hands to its steps."""
    return (variable if isinstance(variable, tf.Variable) else variable.value).handle


class _Adam:
    """The step of Adam and AdamW; the weight decay of the latter is taken before it."""

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
            return
        dtype = variable.dtype
        step = tf.cast(self.iterations.value + 1, dtype)
        at = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[at]),
            v=_handle(self._velocities[at]),
            beta1_power=tf.pow(tf.constant(self.beta_1, dtype), step),
            beta2_power=tf.pow(tf.constant(self.beta_2, dtype), step),
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.constant(self.beta_1, dtype),
            beta2=tf.constant(self.beta_2, dtype),
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


class Adam(_Adam, keras.optimizers.Adam):  # type: ignore[misc]
    """keras.optimizers.Adam."""


class AdamW(_Adam, keras.optimizers.AdamW):  # type: ignore[misc]
    """keras.optimizers.AdamW."""


class SGD(keras.optimizers.SGD):  # type: ignore[misc]
    """keras.optimizers.SGD."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if not self.momentum:
            super().update_step(gradient, variable, learning_rate)
            return
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=_handle(variable),
            accum=_handle(self.momentums[self._get_variable_index(variable)]),
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
            momentum=tf.constant(self.momentum, variable.dtype),
            use_nesterov=self.nesterov,
        )

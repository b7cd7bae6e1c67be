"""What optimizers do on top of Keras' steps, on every backend: faster biases of normalization, and slow weights."""

from typing import Any


def with_bias_factor(kind: Any, factor: float) -> Any:
    """A class of Keras' optimizers that takes `factor` times the learning rate for the biases of normalization layers.

    These are the weights that Keras calls `beta`. Only the step along the gradient is longer: the weight decay, which
    Keras takes off before the step, stays that of the plain learning rate.
    """

    class Optimizer(kind):  # type: ignore[misc]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            own = self._trainable_variables[self._get_variable_index(variable)]
            super().update_step(gradient, variable, learning_rate * factor if own.name == "beta" else learning_rate)

    Optimizer.__name__ = kind.__name__
    return Optimizer


def with_lookahead(kind: Any, every: int, decay: float, power: float, steps: int) -> Any:
    """A class of Keras' optimizers with slow weights (Zhang et al. 2019, https://arxiv.org/abs/1907.08610).

    After `every` steps the slow weights keep the share `decay (step / steps)^power` of themselves and take the rest
    from the weights, which go on from there. After the last of `steps` the weights are the slow ones as they are. The
    slow weights begin as the weights when the optimizer is built, which must not be inside of a compiled step. They are
    among the optimizer's variables.
    """
    import keras

    class Optimizer(kind):  # type: ignore[misc]
        def build(self, variables: Any) -> None:
            if self.built:
                return
            super().build(variables)
            self._slow = self.add_optimizer_variables(variables, "slow")
            for slow, fast in zip(self._slow, variables, strict=True):
                slow.assign(keras.ops.convert_to_numpy(fast).copy())  # JAX gives the memory of either away

        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            super().apply(grads, trainable_variables)
            done = keras.ops.cast(self.iterations, "int32")
            is_last = keras.ops.equal(done, steps)
            meets = keras.ops.logical_or(is_last, keras.ops.equal(done % every, 0))
            share = decay * (keras.ops.cast(done, "float32") / steps) ** power
            taken = 1 - keras.ops.where(is_last, 1.0, keras.ops.minimum(share, 1.0))
            for slow, fast in zip(self._slow, self._trainable_variables, strict=True):
                before, now = keras.ops.convert_to_tensor(slow), keras.ops.convert_to_tensor(fast)
                met = before + keras.ops.cast(taken, slow.dtype) * (now - before)
                slow.assign(keras.ops.where(meets, met, before))
                fast.assign(keras.ops.where(meets, met, now))

    Optimizer.__name__ = kind.__name__
    return Optimizer

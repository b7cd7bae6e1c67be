"""A ReLU in two halves around a max pooling, on TensorFlow: together they are the ReLU, forward and backward.

A convolution that adds a bias and cuts at 0 is one kernel of oneDNN, so that the values cost nothing before the
pooling; the gradient of a ReLU is a pass of its own, over a quarter of the values after a 2x2 pooling. The halves are
exact: the pooled value of a window is above 0 where its largest value was, and only then does a gradient pass.
"""

from typing import Any


def relu_values(inputs: Any) -> Any:
    """max(inputs, 0), with the gradient of the identity."""
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def cut(values: Any) -> Any:
        return tf.nn.relu(values), lambda gradient: gradient

    return cut(inputs)


def relu_gradient(inputs: Any) -> Any:
    """The inputs, none of them below 0, with the gradient of the ReLU."""
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def masked(values: Any) -> Any:
        return tf.identity(values), lambda gradient: tf.raw_ops.ReluGrad(gradients=gradient, features=values)

    return masked(inputs)

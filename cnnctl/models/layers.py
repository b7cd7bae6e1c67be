"""The layers that Keras lacks or runs slowly. Importing this module imports keras; `import cnnctl` alone does not."""

from typing import Any

import keras

from cnnctl.layers.arithmetic import output_size, same_padding, same_size


@keras.saving.register_keras_serializable(package="cnnctl")
class L2Pooling2D(keras.layers.Layer):  # type: ignore[misc]
    """The square root of the sum of squares of each window, computed in float32.

    `sqrt(sum(x^2) + epsilon)`: without epsilon the gradient at 0 would be infinite, and a window of zeros is
    common after a ReLU. Under `same` padding (the other one is `valid`) the zeros around the image count as zeros. The
    window and its steps are (height, width).

    Input shape: (batch, height, width, channels).
    Output shape: (batch, new height, new width, channels).

    Example: a 2x2 window of 3, 4, 0, 0 gives 5.
    """

    def __init__(
        self, pool_size: Any = (2, 2), strides: Any = None, padding: str = "valid", epsilon: float = 1e-6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = tuple(pool_size)
        self.strides = tuple(strides or pool_size)
        self.padding = padding
        self.epsilon = epsilon

    def call(self, inputs: Any) -> Any:
        squares = keras.ops.square(keras.ops.cast(inputs, "float32"))
        if self.padding == "same":
            squares = keras.ops.pad(squares, self._same_padding(inputs.shape))
        means = keras.ops.average_pool(squares, self.pool_size, self.strides, padding="valid")
        values = self.pool_size[0] * self.pool_size[1]
        return keras.ops.cast(keras.ops.sqrt(means * values + self.epsilon), self.compute_dtype)

    def _same_padding(self, shape: Any) -> list[tuple[int, int]]:
        """The zeros of TensorFlow's `same`, written out, since average pooling leaves them out of its count."""
        totals = map(same_padding, shape[1:3], self.pool_size, self.strides)
        return [(0, 0), *((total // 2, total - total // 2) for total in totals), (0, 0)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        sides = zip(input_shape[1:3], self.pool_size, self.strides, strict=True)
        if self.padding == "same":
            return (input_shape[0], *(same_size(size, step) for size, _, step in sides), input_shape[3])
        return (input_shape[0], *(output_size(*side, padding=0) for side in sides), input_shape[3])

    def get_config(self) -> dict[str, Any]:
        own = {"pool_size": self.pool_size, "strides": self.strides, "padding": self.padding, "epsilon": self.epsilon}
        return {**super().get_config(), **own}


class InferenceModel(keras.Model):  # type: ignore[misc]
    """A functional model that acts as in inference while the network around it trains; it is never saved.

    Its weights may be trained. Keras hands `training` down to every layer of a model, whatever a layer was called with.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return super().call(inputs, training=False, mask=mask)


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras' batch normalization by TensorFlow's fused kernel, for the network that trains; it is never saved.

    Keras 3 computes mean, variance and the normalization in several passes over the image; FusedBatchNormV3 takes one.
    Its variance is divided by n - 1, Keras' by n, hence the factor. TensorFlow backend, channels last, images only.
    Where only its statistics are frozen, Keras' way is quicker, because of the kernel's gradient.

    Input and output shape: (batch, height, width, channels).
    """

    is_folded = False
    """Whether the convolution before it does its work, by `factor_and_offset`."""

    def factor_and_offset(self) -> tuple[Any, Any]:
        """What it makes of a channel by its stored statistics: x * factor + offset. Float32, (channels,) each."""
        factor = keras.ops.rsqrt(self.moving_variance + self.epsilon)
        if self.scale:
            factor = factor * self.gamma
        offset = -self.moving_mean * factor
        return factor, offset + self.beta if self.center else offset

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if self.is_folded:
            assert not training, f"{self.name} goes by its stored statistics"
            return inputs
        learns = bool(training) and self.trainable
        if len(inputs.shape) != 4 or (self.trainable and not learns):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        channels = inputs.shape[-1]
        none = tf.constant([], tf.float32)
        normalized, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma) if self.scale else tf.ones([channels]),
            offset=tf.convert_to_tensor(self.beta) if self.center else tf.zeros([channels]),
            mean=none if learns else tf.convert_to_tensor(self.moving_mean),
            variance=none if learns else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=learns,
        )
        if not learns:
            return normalized
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance * (count - 1) / count)
        return normalized

    def _move(self, average: Any, seen: Any) -> None:
        average.assign(average * self.momentum + keras.ops.stop_gradient(seen) * (1.0 - self.momentum))


class _Folding:
    """A convolution without bias that does, in its kernel, the batch normalization by stored statistics after it."""

    _factor_and_offset: Any = None

    def fold(self: Any, normalization: FusedBatchNormalization, shape: Any) -> None:
        """Take over the work of a layer; `shape` is (batch, height, width, channels) of what flows in."""
        normalization.build(self.compute_output_shape(shape))
        normalization.is_folded = True
        self._factor_and_offset = normalization.factor_and_offset  # the layer itself would give its weights to this one


class FusedConv2D(_Folding, keras.layers.Conv2D):  # type: ignore[misc]
    """keras.layers.Conv2D that may do the batch normalization after it; it is never saved."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if self._factor_and_offset is None:
            return super().convolution_op(inputs, kernel)
        factor, offset = self._factor_and_offset()
        kernel = keras.ops.cast(kernel * factor, self.compute_dtype)
        return _add_bias(super().convolution_op(inputs, kernel), offset)


class FusedDepthwiseConv2D(_Folding, keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    """keras.layers.DepthwiseConv2D that may do the batch normalization after it; it is never saved."""

    def call(self, inputs: Any) -> Any:
        if self._factor_and_offset is None:
            return super().call(inputs)
        factor, offset = self._factor_and_offset()
        kernel = self.kernel * keras.ops.reshape(factor, self.kernel.shape[2:])
        made = keras.ops.depthwise_conv(
            inputs,
            keras.ops.cast(kernel, self.compute_dtype),
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )
        return _add_bias(made, offset)


def _add_bias(values: Any, bias: Any) -> Any:
    """Keras' sum of the two has a slower gradient."""
    import tensorflow as tf

    return tf.nn.bias_add(values, tf.cast(bias, values.dtype))

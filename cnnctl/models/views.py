"""A network that answers by the mean over several views of an image: mirrored and shifted ones, in one graph."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.schema import TestTime

_LOGITS = "logits"
"""The output layer in a network with views, without its activation."""


def with_views(model: Any, test_time: TestTime | None, dtype: str = "uint8", activation: str | None = None) -> Any:
    """The views of `test_time` around a built keras.Sequential of ours.

    The layers are the model's own and each view goes through them by itself, so that memory does not grow with the
    views. The mean is over what the output layer gets, so that its logits are the means over those of the views; then
    comes its activation, or another `activation`. Of the output layer this has a copy.

    Returns:
        A keras.Model whose input, (batch, height, width, channels), is `dtype`, and whose output is as the model's.
    """
    import keras

    class View(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, mirrored: bool, shift: int) -> None:
            super().__init__(dtype="float32")
            self.mirrored, self.shift = mirrored, shift

        def call(self, values: Any) -> Any:
            return _view(values, self.mirrored, self.shift)

    class Mean(keras.layers.Layer):  # type: ignore[misc]
        def call(self, features: Any) -> Any:
            return sum(weight * one for (*_, weight), one in zip(views, features, strict=True))

    views = (test_time or TestTime()).seen
    scaling, *hidden, output = model.layers
    linear = type(output).from_config({**output.get_config(), "activation": "linear", "name": _LOGITS})

    image = keras.layers.Input(tuple(model.input_shape[1:]), dtype=dtype, name=model.inputs[0].name)
    scaled, features = scaling(image), []
    for mirrored, shift, _ in views:
        values = View(mirrored, shift)(scaled)
        for layer in hidden:
            values = layer(values)
        features.append(values)
    logits = linear(Mean(name="mean", dtype="float32")(features))
    linear.set_weights(output.get_weights())
    act = keras.layers.Activation(activation or output.activation, dtype="float32", name="probabilities")
    return keras.Model(image, act(logits), name=f"{model.name}_of_views")


def _view(values: Any, mirrored: bool, shift: int) -> Any:
    """A batch of images, shifted down and to the right by some pixels, then mirrored left to right.

    Rows and columns are picked by their numbers, which every form of export has an operator for.
    """
    import keras

    if shift:
        values = keras.ops.take(values, shifted(values.shape[1], shift), axis=1)
        values = keras.ops.take(values, shifted(values.shape[2], shift), axis=2)
    return keras.ops.take(values, np.arange(values.shape[2], dtype=np.int32)[::-1], axis=2) if mirrored else values


def shifted(size: int, shift: int) -> NDArray[np.int32]:
    """The row or column that each one of a shifted image shows, int32 (size,); at the edges as numpy.pad reflects."""
    padded = np.pad(np.arange(size, dtype=np.int32), abs(shift), mode="reflect")
    return padded[abs(shift) - shift :][:size]

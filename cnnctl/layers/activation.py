"""Activations as layers of their own."""

from typing import Annotated, Literal

from pydantic import Field

from cnnctl.layers.base import BaseLayer

ActivationName = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softmax", "linear"]
Activation = Annotated[ActivationName, Field(description="Function of each output value.", examples=["relu"])]


class ActivationLayer(BaseLayer):
    """An activation as a layer of its own."""

    kind = "activation"
    keras_class = "Activation"
    family = "activation"

    activation: Activation

    def settings_text(self) -> str:
        return self.activation

    def picture_text(self) -> str:
        return self.activation


class LeakyReLU(BaseLayer):
    """x where positive, negative_slope * x elsewhere."""

    kind = "leaky_relu"
    family = "activation"

    negative_slope: Annotated[float, Field(ge=0, description="Factor of negative values.")] = 0.3

    @property
    def function(self) -> str:
        return "leaky_relu"

    def settings_text(self) -> str:
        return f"slope {self.negative_slope:g}"

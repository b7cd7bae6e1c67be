"""Activations as layers of their own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cnnctl.layers.base import Activation, BaseLayer
from cnnctl.settings import described

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values


class ActivationLayer(BaseLayer):
    """Applies an activation function as a separate layer."""

    kind = "activation"
    keras_class = "Activation"
    activation: Activation

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import activate

        return activate(values, self.activation)

    def settings_text(self) -> str:
        return self.activation

    def picture_text(self) -> str:
        return self.activation


class LeakyReLU(BaseLayer):
    """x where x is positive, negative_slope * x elsewhere."""

    kind = "leaky_relu"
    negative_slope: Annotated[float, described("Slope for negative values.", ge=0)] = 0.3

    @property
    def function(self) -> str:
        return "leaky_relu"

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import activate

        return activate(values, self.function, self.negative_slope)

    def settings_text(self) -> str:
        return f"slope {self.negative_slope:g}"

"""Activations as layers of their own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cnnctl.layers.base import Activation, BaseLayer
from cnnctl.layers.notation import Shape
from cnnctl.settings import described

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values
    from cnnctl.layers.onnx_graph import OnnxGraph


class ActivationLayer(BaseLayer):
    """Applies an activation function as a separate layer."""

    kind = "activation"
    keras_class = "Activation"
    activation: Activation

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        from cnnctl.layers.compute import activate

        return activate(values, self.activation)

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        return graph.activate(value, self.activation)

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

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        return graph.activate(value, self.function, self.negative_slope)

    def settings_text(self) -> str:
        return f"slope {self.negative_slope:g}"

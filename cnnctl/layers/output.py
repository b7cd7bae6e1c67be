"""The output layer, which is appended to the layers of a model."""

from typing import Annotated, Literal

from cnnctl.layers.base import Bias
from cnnctl.layers.dense import Dense
from cnnctl.settings import OrItsKey, Settings, described


class OutputSettings(Settings):
    """The output layer. `sigmoid` alone means `{activation: sigmoid}`."""

    activation: Annotated[
        Literal["softmax", "sigmoid"],
        described("softmax has a unit for each class, sigmoid has one unit for two classes."),
    ] = "softmax"
    use_bias: Bias = True

    def layer(self, classes: int) -> Dense:
        """Dense(classes, softmax), or Dense(1, sigmoid)."""
        units = 1 if self.activation == "sigmoid" else classes
        return Dense(units=units, activation=self.activation, use_bias=self.use_bias)


Output = Annotated[OutputSettings, OrItsKey("activation")]
SOFTMAX, SIGMOID = OutputSettings(), OutputSettings(activation="sigmoid")

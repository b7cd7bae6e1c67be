"""The output layer, which is appended to the layers of a model."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from cnnctl.layers.base import Bias
from cnnctl.layers.dense import Dense
from cnnctl.settings import OrItsKey, OrNone, Settings, described

Kind = Literal["softmax", "sigmoid", "multi_label"]


class MultiLabel(Settings):
    """Several labels an image: each class has a probability of its own, and a threshold from which on an image has it.

    The validation images choose the thresholds.
    """

    precision: Annotated[
        Annotated[float, Field(gt=0, le=1)] | None,
        OrNone,
        described(
            "Precision that each class is to have on the validation images: its threshold is the one with the highest "
            "recall that has it. none: the threshold with the best F1.",
            0.9,
        ),
    ] = None


class OutputSettings(Settings):
    """The output layer. `sigmoid` alone means `{activation: sigmoid}`, and `multi_label` means `{multi_label: {}}`."""

    activation: Annotated[
        Literal["softmax", "sigmoid"],
        described(
            "softmax has a unit for each class, sigmoid has one unit for two classes; with multi_label, sigmoid has a "
            "unit for each class."
        ),
    ] = "softmax"
    use_bias: Bias = True
    multi_label: Annotated[
        MultiLabel | None,
        OrNone,
        described("Whether an image may have several labels, and how the thresholds are chosen.", {"precision": 0.9}),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _labels_take_sigmoids(cls, value: Any) -> Any:
        is_several = isinstance(value, dict) and value.get("multi_label") not in (None, "none")
        return {"activation": "sigmoid", **value} if is_several else value

    @model_validator(mode="after")
    def _labels_are_independent(self) -> "OutputSettings":
        if self.multi_label is not None and self.activation == "softmax":
            raise PydanticCustomError("multi_label_softmax", "softmax gives an image one label: multi_label is sigmoid")
        return self

    @property
    def kind(self) -> Kind:
        """How labels and outputs belong together."""
        return "multi_label" if self.multi_label is not None else self.activation

    def layer(self, classes: int) -> Dense:
        """Dense(classes, softmax), Dense(1, sigmoid), or for several labels Dense(classes, sigmoid)."""
        units = 1 if self.kind == "sigmoid" else classes
        return Dense(units=units, activation=self.activation, use_bias=self.use_bias)


Output = Annotated[OutputSettings, OrItsKey("activation", Kind, (("multi_label", {"multi_label": MultiLabel()}),))]
SOFTMAX, SIGMOID = OutputSettings(), OutputSettings(activation="sigmoid")
MULTI_LABEL = OutputSettings(activation="sigmoid", multi_label=MultiLabel())

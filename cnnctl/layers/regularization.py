"""Regularization: random changes of the values while training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cnnctl.layers.base import BaseLayer
from cnnctl.layers.window import State, Step
from cnnctl.settings import Share, described

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values


class _Dropout(BaseLayer):
    acts_in_training_only = True
    is_transparent = True
    is_linear = True

    rate: Annotated[Share, described("Fraction of the values to drop.", 0.5)]

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        return values

    def settings_text(self) -> str:
        return f"rate {self.rate:g}"

    def picture_text(self) -> str:
        return f"{self.rate:g}"


class Dropout(_Dropout):
    """Sets a random fraction of the values to zero during training and scales the others up."""


class SpatialDropout2D(_Dropout):
    """Drops whole channels during training."""

    rate: Annotated[Share, described("Fraction of the channels to drop.", 0.2)]

    def apply(self, state: State) -> Step:
        self.need_image(state.shape)
        return Step(state)

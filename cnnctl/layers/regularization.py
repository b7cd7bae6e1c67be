"""Regularization: random changes of the values while training."""

from typing import Annotated

from pydantic import Field

from cnnctl.layers.base import BaseLayer
from cnnctl.layers.window import State, Step
from cnnctl.settings import Share


class _Dropout(BaseLayer):
    acts_in_training_only = True
    is_transparent = True
    is_linear = True

    rate: Annotated[Share, Field(description="Share of the values that is dropped.", examples=[0.5])]

    def settings_text(self) -> str:
        return f"rate {self.rate:g}"

    def picture_text(self) -> str:
        return f"{self.rate:g}"


class Dropout(_Dropout):
    """Sets a share of the values to zero while training, scaling the others up."""


class SpatialDropout2D(_Dropout):
    """Drops whole channels while training."""

    rate: Annotated[Share, Field(description="Share of the channels that is dropped.", examples=[0.2])]

    def apply(self, state: State) -> Step:
        self.need_image(state.shape)
        return Step(state)

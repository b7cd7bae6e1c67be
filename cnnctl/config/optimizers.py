"""Optimizers: what takes the steps of a training."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from cnnctl.settings import Epsilon, Named, OrNone, Positive, Share, described

Clip = Annotated[Positive | None, OrNone]
LearningRate = Annotated[Positive, described("Learning rate; the schedule scales it.")]
Momentum = Annotated[Share, described("Fraction of the previous step that is added to the next one.")]
_DECAY = "Weight decay: each step subtracts this fraction of each weight, times the learning rate."


class _Optimizer(Named):
    keras_class: ClassVar[str] = ""

    learning_rate: LearningRate = 0.001
    weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, OrNone, described(_DECAY, 0.0005)] = None
    clipnorm: Annotated[Clip, described("Maximum norm of each gradient.", 1.0)] = None
    global_clipnorm: Annotated[Clip, described("Maximum norm of all gradients together.", 1.0)] = None
    clipvalue: Annotated[Clip, described("Maximum absolute value of each gradient element.", 0.5)] = None

    @model_validator(mode="after")
    def _one_way_to_clip(self) -> "_Optimizer":
        given = [name for name in ("clipnorm", "global_clipnorm", "clipvalue") if getattr(self, name) is not None]
        if len(given) > 1:
            raise PydanticCustomError(
                "clip", "{one} cannot be combined with {other}", {"one": given[0], "other": given[1]}
            )
        return self

    def keras_arguments(self) -> dict[str, Any]:
        """The arguments of `keras_class`, but for the learning rate, which a schedule may stand for."""
        return {name: value for name, value in self if name != "learning_rate"}


class Adam(_Optimizer):
    """Adam (Kingma and Ba 2014, https://arxiv.org/abs/1412.6980)."""

    keras_class = "Adam"

    beta_1: Annotated[Share, described("Decay rate of the moving average of the gradient.")] = 0.9
    beta_2: Annotated[Share, described("Decay rate of the moving average of the squared gradient.")] = 0.999
    epsilon: Epsilon = 1e-7
    amsgrad: Annotated[
        bool, described("Whether to use the AMSGrad variant: divide by the largest moving average so far.")
    ] = False


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101)."""

    kind = "adamw"
    keras_class = "AdamW"

    weight_decay: Annotated[float, described(_DECAY, ge=0)] = 0.004


class Sgd(_Optimizer):
    """Stochastic gradient descent, with optional momentum."""

    keras_class = "SGD"

    learning_rate: LearningRate = 0.01
    momentum: Momentum = 0.0
    nesterov: Annotated[bool, described("Whether to use Nesterov momentum.")] = False
    bias_factor: Annotated[
        Positive,
        described(
            "Factor of the learning rate for the biases (beta) of normalization layers; their weight decay stays.", 64
        ),
    ] = 1.0

    def keras_arguments(self) -> dict[str, Any]:
        return {name: value for name, value in super().keras_arguments().items() if name != "bias_factor"}


class RMSprop(_Optimizer):
    """RMSprop: divides the gradient by the root of a moving average of its square (Tieleman and Hinton 2012)."""

    kind = "rmsprop"
    keras_class = "RMSprop"

    rho: Annotated[Share, described("Decay rate of the moving average of the squared gradient.")] = 0.9
    momentum: Momentum = 0.0
    epsilon: Epsilon = 1e-7
    centered: Annotated[
        bool, described("Whether to divide by the standard deviation instead of the root mean square.")
    ] = False


Optimizer = Adam | AdamW | Sgd | RMSprop

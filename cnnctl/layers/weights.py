"""What the weights of a layer begin as and what keeps them small."""

from typing import Annotated, Literal

from pydantic import Field

from cnnctl.settings import Settings, Words

BiasInitializerName = Literal[
    "zeros",
    "ones",
    "random_uniform",
    "random_normal",
    "truncated_normal",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
]
InitializerName = Literal[BiasInitializerName, "orthogonal"]
Initializer = Annotated[InitializerName, Field(description="What the weights begin as.", examples=["he_normal"])]
BiasInitializer = Annotated[BiasInitializerName, Field(description="What the biases begin as.", examples=["ones"])]
Bias = Annotated[bool, Field(description="Whether a number is added to each channel or unit.")]


class Regularizer(Settings):
    """A penalty on the weights that is added to the loss: l1 * sum(|w|) + l2 * sum(w^2)."""

    l1: Annotated[float, Field(ge=0, description="Factor of the sum of absolute weights.")] = 0.0
    l2: Annotated[float, Field(ge=0, description="Factor of the sum of squared weights.")] = 0.0


Penalty = Annotated[
    Regularizer | None,
    Words((("none", None), ("l1", {"l1": 0.01}), ("l2", {"l2": 0.01}), ("l1_l2", {"l1": 0.01, "l2": 0.01}))),
    Field(
        description="Penalty on the kernel in the loss, {l1: 0.001, l2: 0.001}; a bare name is Keras' 0.01.",
        examples=[{"l2": 0.0001}],
    ),
]

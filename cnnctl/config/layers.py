"""The layers that a model may be made of: Keras' class names in snake case, Keras' argument names and defaults.

`filters`, `kernel_size`, `units`, `pool_size` and `rate` have no default: the file says them. Pooling strides
default to `pool_size`. This is the vocabulary alone: shapes are in architecture/, Keras' layers in training/.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, Strict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from cnnctl.config.types import (
    ByName,
    Count,
    Named,
    Padding,
    Pair,
    PoolPadding,
    Positive,
    Settings,
    Share,
    Words,
    ZeroPadding,
)

ActivationName = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softmax", "linear"]
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
Activation = Annotated[ActivationName, Field(description="Function of each output value.", examples=["relu"])]
Initializer = Annotated[InitializerName, Field(description="What the weights begin as.", examples=["he_normal"])]
BiasInitializer = Annotated[BiasInitializerName, Field(description="What the biases begin as.", examples=["ones"])]
Bias = Annotated[bool, Field(description="Whether a number is added to each channel or unit.")]
Padded = Annotated[PoolPadding, Field(description="valid (whole windows only) or same (input / strides, rounded up).")]
Multiplier = Annotated[Count, Field(description="Kernels for each channel.")]
Epsilon = Annotated[Positive, Field(description="Keeps the division finite.")]
Center = Annotated[bool, Field(description="Whether a learnt number is added.")]
Scale = Annotated[bool, Field(description="Whether a learnt factor is applied.")]


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


class _Convolution(Named):
    kind: ClassVar[str] = ""

    kernel_size: Annotated[Pair, Field(description="Height and width of the kernel, in pixels.", examples=[3])]
    strides: Annotated[Pair, Field(description="Step of the kernel, in pixels.", examples=[2])] = (1, 1)
    padding: Annotated[
        Padding,
        Field(
            description="valid (none), same, or zeros on each side: n, or [[top, bottom], [left, right]].",
            examples=["same"],
        ),
    ] = "valid"
    dilation_rate: Annotated[Pair, Field(description="Distance between the taps of the kernel.", examples=[2])] = (1, 1)
    activation: Activation = "linear"
    use_bias: Bias = True

    @field_validator("dilation_rate")
    @classmethod
    def _not_with_strides(cls, dilation_rate: tuple[int, int], info: ValidationInfo) -> tuple[int, int]:
        strides = info.data.get("strides")
        if strides is not None and max(strides) > 1 and max(dilation_rate) > 1:
            raise PydanticCustomError("strides_and_dilation", "strides above 1 do not go with a dilation_rate above 1")
        return dilation_rate


class _EqualStrides(_Convolution):
    kind: ClassVar[str] = ""

    @field_validator("strides")
    @classmethod
    def _equal(cls, strides: tuple[int, int]) -> tuple[int, int]:
        if strides[0] != strides[1]:
            raise PydanticCustomError("equal_strides", "a depthwise convolution has the same stride in both directions")
        return strides


class Conv2D(_Convolution):
    """2D convolution (cross-correlation) over all channels."""

    kind: ClassVar[str] = "conv2d"

    filters: Annotated[Count, Field(description="Number of kernels, the channels of the output.", examples=[32])]
    groups: Annotated[Count, Field(description="Parts into which the channels are divided.")] = 1
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: BiasInitializer = "zeros"
    kernel_regularizer: Penalty = None


class DepthwiseConv2D(_EqualStrides):
    """One kernel (or `depth_multiplier` kernels) for each channel on its own."""

    kind: ClassVar[str] = "depthwise_conv2d"

    depth_multiplier: Multiplier = 1
    depthwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: BiasInitializer = "zeros"
    depthwise_regularizer: Penalty = None


class SeparableConv2D(_EqualStrides):
    """A depthwise convolution followed by a 1x1 convolution."""

    kind: ClassVar[str] = "separable_conv2d"

    filters: Annotated[Count, Field(description="Channels of the output.", examples=[32])]
    depth_multiplier: Multiplier = 1
    depthwise_initializer: Initializer = "glorot_uniform"
    pointwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: BiasInitializer = "zeros"
    depthwise_regularizer: Penalty = None
    pointwise_regularizer: Penalty = None


class _Pooling(Named):
    kind: ClassVar[str] = ""

    pool_size: Annotated[Pair, Field(description="Height and width of the window, in pixels.", examples=[2])]
    strides: Annotated[Pair | None, Field(description="Step of the window; pool_size when left out.", examples=[2])] = (
        None
    )
    padding: Padded = "valid"

    @property
    def steps(self) -> tuple[int, int]:
        """The strides in force: (height, width)."""
        return self.pool_size if self.strides is None else self.strides


class MaxPooling2D(_Pooling):
    """The largest value of each window."""

    kind: ClassVar[str] = "max_pooling2d"


class AveragePooling2D(_Pooling):
    """The mean of each window (of its pixels inside the image)."""

    kind: ClassVar[str] = "average_pooling2d"


class L2Pooling2D(_Pooling):
    """The square root of the sum of squares of each window."""

    kind: ClassVar[str] = "l2_pooling2d"


class GlobalAveragePooling2D(Named):
    """The mean of each channel."""

    kind: ClassVar[str] = "global_average_pooling2d"


class GlobalMaxPooling2D(Named):
    """The largest value of each channel."""

    kind: ClassVar[str] = "global_max_pooling2d"


class ZeroPadding2D(Named):
    """Rows and columns of zeros around the image."""

    kind: ClassVar[str] = "zero_padding2d"

    padding: Annotated[
        ZeroPadding, Field(description="Rows and columns of zeros: n, or [[top, bottom], [left, right]].", examples=[1])
    ] = ((1, 1), (1, 1))


class BatchNormalization(Named):
    """Each channel to mean 0 and deviation 1 over the batch, then scaled and shifted."""

    kind: ClassVar[str] = "batch_normalization"

    momentum: Annotated[float, Field(ge=0, lt=1, description="Memory of the running mean and variance.")] = 0.99
    epsilon: Epsilon = 0.001
    center: Center = True
    scale: Scale = True


class LayerNormalization(Named):
    """The channels of each position to mean 0 and deviation 1, then scaled and shifted."""

    kind: ClassVar[str] = "layer_normalization"

    epsilon: Epsilon = 0.001
    center: Center = True
    scale: Scale = True


class ActivationLayer(Named):
    """An activation as a layer of its own."""

    kind: ClassVar[str] = "activation"

    activation: Activation


class LeakyReLU(Named):
    """x where positive, negative_slope * x elsewhere."""

    kind: ClassVar[str] = "leaky_relu"

    negative_slope: Annotated[float, Field(ge=0, description="Factor of negative values.")] = 0.3


class Dropout(Named):
    """Sets a share of the values to zero while training, scaling the others up."""

    kind: ClassVar[str] = "dropout"

    rate: Annotated[Share, Field(description="Share of the values that is dropped.", examples=[0.5])]


class SpatialDropout2D(Named):
    """Drops whole channels while training."""

    kind: ClassVar[str] = "spatial_dropout2d"

    rate: Annotated[Share, Field(description="Share of the channels that is dropped.", examples=[0.2])]


class Flatten(Named):
    """Rows, columns and channels to one vector."""

    kind: ClassVar[str] = "flatten"


class Dense(Named):
    """A fully connected layer."""

    kind: ClassVar[str] = "dense"

    units: Annotated[Count, Field(description="Number of neurons.", examples=[128])]
    activation: Activation = "linear"
    use_bias: Bias = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: BiasInitializer = "zeros"
    kernel_regularizer: Penalty = None


class Repeat(Named):
    """The same layers several times over, each time with weights of their own."""

    kind: ClassVar[str] = "repeat"

    times: Annotated[int, Field(ge=1, le=1000, description="How often.", examples=[2])]
    layers: Annotated[
        tuple["Layer", ...],
        Strict(False),
        Field(
            min_length=1, description="What is repeated.", examples=[[{"conv2d": {"filters": 32, "kernel_size": 3}}]]
        ),
    ]


RealLayer = (
    Conv2D
    | DepthwiseConv2D
    | SeparableConv2D
    | MaxPooling2D
    | AveragePooling2D
    | L2Pooling2D
    | GlobalAveragePooling2D
    | GlobalMaxPooling2D
    | ZeroPadding2D
    | BatchNormalization
    | LayerNormalization
    | ActivationLayer
    | LeakyReLU
    | Dropout
    | SpatialDropout2D
    | Flatten
    | Dense
)
"""A layer that computes; `repeat` is unrolled before anything looks at the layers."""

AnyLayer = RealLayer | Repeat
Layer = Annotated[AnyLayer, ByName("layer")]

Repeat.model_rebuild()

LAYERS: dict[str, type[Any]] = {member.kind: member for member in (*RealLayer.__args__, Repeat)}

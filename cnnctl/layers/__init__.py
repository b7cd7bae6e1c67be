"""The layers that a model may be made of: Keras' class names in snake case, Keras' argument names and defaults.

`filters`, `kernel_size`, `units`, `pool_size` and `rate` have no default: the file says them. Pooling strides default
to `pool_size`. Everything that is known about a kind is in its class; Keras is never imported here.
"""

from typing import Annotated, Any

from pydantic import Strict

from cnnctl.layers.activation import ActivationLayer, LeakyReLU
from cnnctl.layers.backbone import Backbone
from cnnctl.layers.convolution import Conv2D, DepthwiseConv2D, SeparableConv2D
from cnnctl.layers.dense import Dense
from cnnctl.layers.normalization import BatchNormalization, LayerNormalization, Rescaling
from cnnctl.layers.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    L2Pooling2D,
    MaxPooling2D,
)
from cnnctl.layers.regularization import Dropout, SpatialDropout2D
from cnnctl.layers.reshaping import Flatten, ZeroPadding2D
from cnnctl.settings import ByName, Named, described

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
    | Rescaling
    | ActivationLayer
    | LeakyReLU
    | Dropout
    | SpatialDropout2D
    | Flatten
    | Dense
    | Backbone
)
"""A layer that computes; `repeat` is unrolled before anything looks at the layers."""


class Repeat(Named):
    """Repeats the layers; each repetition has its own weights."""

    times: Annotated[int, described("Number of repetitions.", 2, ge=1, le=1000)]
    layers: Annotated[
        tuple["Layer", ...],
        Strict(False),
        described("Layers to repeat.", [{"conv2d": {"filters": 32, "kernel_size": 3}}], min_length=1),
    ]


AnyLayer = RealLayer | Repeat
Layer = Annotated[AnyLayer, ByName("layer")]

Repeat.model_rebuild()

LAYERS: dict[str, type[Any]] = {member.kind: member for member in (*RealLayer.__args__, Repeat)}

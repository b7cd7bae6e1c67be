"""A whole pretrained network as the first layer."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from cnnctl.layers.base import BaseLayer
from cnnctl.settings import OrNone, Text, described

Application = Literal[
    "EfficientNetLite0",
    "MobileNetV2",
    "MobileNetV3Small",
    "MobileNetV3Large",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "EfficientNetV2S",
    "ResNet50V2",
    "DenseNet121",
]
"""The networks whose graphs are part of the package, by the names of their classes in Keras."""

APPLICATIONS: tuple[str, ...] = get_args(Application)

IMAGENET = "imagenet"


class Backbone(BaseLayer):
    """A pretrained network without its own output layers; only the first layer of `model` may be one.

    It takes RGB images, scales their pixels as it was trained, and its batch normalization and dropout always act as
    in inference. `architecture/backbone.py` finds its network.
    """

    keras_class = "Functional"
    one_of = ("application", "file")

    application: Annotated[
        Application | None, OrNone, described("Name of a network in `keras.applications`.", "EfficientNetLite0")
    ] = None
    file: Annotated[
        Text | None,
        OrNone,
        described("A .keras file with a network of stock Keras layers and its weights.", "my.keras"),
    ] = None
    weights: Annotated[
        Text | None,
        OrNone,
        described("Weights of the application: imagenet, a file, or none (random). A `file` has its own."),
    ] = IMAGENET
    trainable: Annotated[bool, described("Whether training changes its weights.")] = False

    @model_validator(mode="before")
    @classmethod
    def _file_has_weights(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("file") in (None, "none"):
            return value
        if value.get("weights") not in (None, "none"):
            raise PydanticCustomError("weights_twice", "a file has its own weights: remove weights")
        return {**value, "weights": None}

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        if (self.application is None) == (self.file is None):
            raise PydanticCustomError("one_network", "expected either application or file")
        return self

    @property
    def must_be_first(self) -> bool:
        return True

    @property
    def row_name(self) -> str:
        return self.application or self.kind

    def with_paths(self, resolve: Callable[[str, str], str]) -> Self:
        paths = {"file": self.file, "weights": None if self.weights == IMAGENET else self.weights}
        return self.model_copy(update={key: resolve(key, path) for key, path in paths.items() if path is not None})

    def settings_text(self) -> str:
        source = [] if self.application is None else ["random weights" if self.weights is None else self.weights]
        return ", ".join([*source, "trained" if self.trainable else "not trained"])

    def picture_text(self) -> str:
        return self.application or ""

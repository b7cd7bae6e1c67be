"""The backbone of a script: a network of keras.applications, or one in a file beside the script."""

from collections.abc import Iterator
from dataclasses import dataclass

from cnnctl.architecture.backbone import ResolvedBackbone, resolve
from cnnctl.architecture.scaling import NONE
from cnnctl.config import Config
from cnnctl.config.training import FineTune
from cnnctl.ejecting.source import Code, call
from cnnctl.errors import UsageError
from cnnctl.layers.backbone import IMAGENET, Backbone

_NOT_IN_KERAS = ("EfficientNetLite0",)
_NORMALIZED_BY_WEIGHTS = ("EfficientNetB0",)
"""In Keras these know the mean of the pixels from their weights alone."""

_BY_SIZE = {"MobileNetV2": (96, 128, 160, 192)}
"""Sides of square images for which Keras has other weights than for 224x224."""


@dataclass(frozen=True)
class EjectedBackbone:
    """The backbone of a script.

    Attributes:
        layer: Its settings and its graph.
        file: The name of the .keras file beside the script; None for a network of keras.applications.
        layers: The names of its layers as cnnctl counts them, the input first.
    """

    layer: ResolvedBackbone
    file: str | None
    layers: tuple[str, ...]

    @property
    def comes_with_scaling(self) -> bool:
        """Whether it scales pixels itself."""
        return self.layer.graph.scaling == NONE

    @property
    def has_normalization(self) -> bool:
        """Whether it has batch normalization."""
        return any(node.layer.kind == "batch_normalization" for node in self.layer.graph.nodes)

    @property
    def has_dropout(self) -> bool:
        """Whether the script builds it with layers that change images at random."""
        return self.file is None and any(node.layer.acts_in_training_only for node in self.layer.graph.nodes)

    @property
    def call(self) -> Code:
        """What makes it, with its weights."""
        if self.file is not None:
            return call("keras.models.load_model", Code("BACKBONE"))
        shape = Code("(HEIGHT, WIDTH, CHANNELS)")
        name = f"keras.applications.{self.layer.application}"
        return call(name, include_top=False, weights=self.layer.weights, input_shape=shape)

    def first_trained(self, chosen: FineTune) -> str | None:
        """The first layer of those that fine-tuning trains that the script can train; None for all layers.

        Raises:
            UsageError: there is none.
        """
        if chosen.layers == "all" or chosen.layers >= len(self.layers):
            return None
        trained = [name for name in self.layers if name in self._trainable]
        last = set(self.layers[-chosen.layers :])
        found = next((name for name in trained if name in last), None)
        if found is None:
            enough = len(self.layers) - self.layers.index(trained[-1]) if trained else None
            raise UsageError(
                f"train.fine_tune.layers: the last {chosen.layers:,} of the backbone have weights in batch "
                "normalization at most, which stays as it is in a script",
                f"train {enough:,} or more" if enough else "remove train.fine_tune",
            )
        return found

    @property
    def _trainable(self) -> set[str]:
        """The layers whose weights a script can train."""
        graph = self.layer.graph
        normal = {node.name for node in graph.nodes if node.layer.kind == "batch_normalization"}
        return set(graph.weight_shapes()) - normal


def is_in_keras(layer: Backbone) -> bool:
    """Whether keras.applications builds the network, with the weights that the config names."""
    if layer.application is None or layer.application in _NOT_IN_KERAS:
        return False
    if layer.weights is None:
        return layer.application not in _NORMALIZED_BY_WEIGHTS
    return layer.weights == IMAGENET


def ejected_backbone(config: Config, file: str | None, layers: tuple[str, ...] = ()) -> EjectedBackbone | None:
    """The backbone of a checked config's script; `layers` are those of its file, in the order of Keras."""
    first = config.model[0]
    if not isinstance(first, Backbone):
        return None
    resolved = resolve(first)
    kept = (node.name for node in resolved.graph.nodes if not node.layer.acts_in_training_only)
    return EjectedBackbone(resolved, file, layers or ("pixels", *kept))


def backbone_warnings(config: Config, backbone: EjectedBackbone) -> Iterator[str]:
    """What the script does otherwise than cnnctl."""
    layer, train, image = backbone.layer, config.train, config.data.image
    if not layer.trainable:
        yield "backbone: the script runs it on every image in every epoch; cnnctl computes its features once"
    if backbone.has_normalization and (layer.trainable or train.fine_tune is not None):
        yield (
            "backbone: gamma and beta of its batch normalization stay as they are, because Keras keeps the stored "
            "statistics only of a layer that is not trained; cnnctl trains them"
        )
    sides = _BY_SIZE.get(layer.application or "", ())
    if backbone.file is None and layer.weights == IMAGENET and image.height == image.width and image.width in sides:
        yield (
            f"backbone: Keras takes the weights of {layer.application} for images of {image.width}x{image.width}, "
            "cnnctl those for 224x224"
        )
    if backbone.file is None and backbone.comes_with_scaling and train.precision not in ("auto", "float32"):
        yield f"precision: {layer.application} scales its pixels in 16 bits in the script, cnnctl in float32"

"""What training minimises: the loss, the labels in the form that it takes, and the accuracy that goes with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnnctl.config import Config
from cnnctl.data.augment import mixes
from cnnctl.data.labels import Labels, are_several, counts_of

Shares = tuple[tuple[int, float], ...]
"""(image number, its share of the label) of the images that an image is mixed of; the shares sum to 1."""

_SPARSE = "sparse_categorical_crossentropy"


@dataclass(frozen=True)
class Objective:
    """A loss and the form of the labels that it compares with.

    `loss` is Keras' name of it. `form` is `number`, int32 (images,); `one_hot`, float32 (images, classes);
    `positive`, float32 (images, 1), the share of the second of two classes; or `several`, float32 (images, classes), 1
    for each label that an image has. `label_smoothing` is the share of a label that the loss spreads over all classes;
    of `positive` and `several` over having a label and not having it.
    """

    loss: str
    form: Literal["number", "one_hot", "positive", "several"]
    classes: int
    label_smoothing: float = 0.0

    def encode(self, labels: Labels) -> NDArray[Any]:
        """Labels in the form of the loss."""
        match self.form:
            case "number":
                return labels.astype(np.int32)
            case "positive":
                return labels[:, None].astype(np.float32)
            case "one_hot":
                return np.eye(self.classes, dtype=np.float32)[labels]
            case "several":
                return labels.astype(np.float32)

    def encode_mixed(self, labels: Labels, mixed: Sequence[Shares]) -> NDArray[np.float32]:
        """Labels of images that are mixed of several: each class has the sum of its images' shares.

        `labels` are those of all images, `mixed` what each image of the batch is mixed of.
        """
        assert self.form != "number"
        soft = np.zeros((len(mixed), self.classes), np.float32)
        for row, shares in enumerate(mixed):
            for number, share in shares:
                if self.form == "several":
                    soft[row] += share * labels[number]
                else:
                    soft[row, labels[number]] += share
        return soft[:, 1:] if self.form == "positive" else soft

    def keras_loss(self) -> Any:
        """The Keras loss."""
        import keras

        if self.form == "several":
            return _loss_of_each_label(self.loss, self.label_smoothing)
        match self.loss:
            case "categorical_crossentropy":
                return keras.losses.CategoricalCrossentropy(label_smoothing=self.label_smoothing)
            case "binary_crossentropy":
                return keras.losses.BinaryCrossentropy(label_smoothing=self.label_smoothing)
            case "mean_squared_error":
                return keras.losses.MeanSquaredError()
            case _:
                return keras.losses.SparseCategoricalCrossentropy()

    def keras_accuracy(self) -> Any:
        """The share of images whose likeliest class is that of the largest share in the label."""
        import keras

        match self.form:
            case "number":
                return keras.metrics.SparseCategoricalAccuracy(name="accuracy")
            case "one_hot":
                return keras.metrics.CategoricalAccuracy(name="accuracy")
            case "positive":
                return keras.metrics.MeanMetricWrapper(_same_side, name="accuracy")
            case "several":
                return keras.metrics.MeanMetricWrapper(_all_on_the_same_side, name="accuracy")


def _loss_of_each_label(name: str, label_smoothing: float) -> Any:
    """The loss of images with several labels: the mean of that of each label, which takes weights of its own."""
    import keras

    class LossOfEachLabel(keras.losses.Loss):  # type: ignore[misc]
        def call(self, truth: Any, predicted: Any) -> Any:
            """(images, classes), which Keras weighs and averages."""
            truth = keras.ops.cast(truth, predicted.dtype)
            if name == "mean_squared_error":
                return keras.ops.square(truth - predicted)
            smooth = truth * (1 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else truth
            return keras.ops.binary_crossentropy(smooth, predicted)

    return LossOfEachLabel(name=name)


def _all_on_the_same_side(truth: Any, predicted: Any) -> Any:
    """Whether an image has all of its labels and no others, each from one half on."""
    import keras

    agrees = keras.ops.equal(keras.ops.greater(truth, 0.5), keras.ops.greater(predicted, 0.5))
    return keras.ops.cast(keras.ops.all(agrees, axis=-1), "float32")


def _same_side(truth: Any, predicted: Any) -> Any:
    """Whether both are above one half, or both are not: a mixed label is neither 0 nor 1."""
    import keras

    agrees = keras.ops.equal(keras.ops.greater(truth, 0.5), keras.ops.greater(predicted, 0.5))
    return keras.ops.mean(keras.ops.cast(agrees, "float32"), axis=-1)


def make_objective(config: Config, classes: int) -> Objective:
    """The objective of a config; labels stay class numbers where nothing asks for more."""
    train = config.train
    if config.output.kind == "multi_label":
        loss = "binary_crossentropy" if train.loss == "auto" else train.loss
        return Objective(loss, "several", classes, train.label_smoothing)
    if config.output.kind == "sigmoid":
        loss = "binary_crossentropy" if train.loss == "auto" else train.loss
        return Objective(loss, "positive", classes, train.label_smoothing)
    loss = "categorical_crossentropy" if train.loss == "auto" else train.loss
    if loss == "categorical_crossentropy" and not train.label_smoothing and not mixes(config.augment):
        return Objective(_SPARSE, "number", classes)
    return Objective(loss, "one_hot", classes, train.label_smoothing)


def class_weights(
    setting: str | dict[str, float] | None, classes: Sequence[str], labels: Labels
) -> NDArray[np.float32] | None:
    """The factor of each image in the loss, by its class.

    `setting` is None, `balanced`, or a factor by class name (1 for those left out).

    Returns:
        float32 (images,). Balanced is images / (classes * images of the class), as scikit-learn has it, so that the
        mean over all images is 1. Of images with several labels (images, classes): each class is one of its own, that
        an image has or has not, and `balanced` weighs both; the factor of a class is for images that have it.
    """
    if setting is None:
        return None
    if isinstance(setting, dict):
        factors = np.array([setting.get(name, 1.0) for name in classes], np.float32)
        return np.where(labels > 0, factors, np.float32(1)) if are_several(labels) else factors[labels]
    counts = counts_of(labels, len(classes))
    if are_several(labels):
        has, lacks = (len(labels) / (2 * np.maximum(one, 1)) for one in (counts, len(labels) - counts))
        return np.where(labels > 0, has, lacks).astype(np.float32)
    factors = (len(labels) / (len(classes) * np.maximum(counts, 1))).astype(np.float32)
    return factors[labels]

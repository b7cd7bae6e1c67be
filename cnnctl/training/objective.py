"""What training minimises: the loss, the labels in the form that it takes, and the accuracy that goes with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnnctl.config import Config
from cnnctl.data.augment import mixes

Shares = tuple[tuple[int, float], ...]
"""(image number, its share of the label) of the images that an image is mixed of; the shares sum to 1."""

_SPARSE = "sparse_categorical_crossentropy"


@dataclass(frozen=True)
class Objective:
    """A loss and the form of the labels that it compares with.

    `loss` is Keras' name of it. `form` is `number`, int32 (images,); `one_hot`, float32 (images, classes); or
    `positive`, float32 (images, 1), the share of the second of two classes. `label_smoothing` is the share of a label
    that the loss spreads over all classes.
    """

    loss: str
    form: Literal["number", "one_hot", "positive"]
    classes: int
    label_smoothing: float = 0.0

    def encode(self, labels: NDArray[np.int64]) -> NDArray[Any]:
        """Class numbers in the form of the loss."""
        match self.form:
            case "number":
                return labels.astype(np.int32)
            case "positive":
                return labels[:, None].astype(np.float32)
            case "one_hot":
                return np.eye(self.classes, dtype=np.float32)[labels]

    def encode_mixed(self, labels: NDArray[np.int64], mixed: Sequence[Shares]) -> NDArray[np.float32]:
        """Labels of images that are mixed of several: each class has the sum of its images' shares.

        `labels` are the class numbers of all images, `mixed` what each image of the batch is mixed of.
        """
        assert self.form != "number"
        soft = np.zeros((len(mixed), self.classes), np.float32)
        for row, shares in enumerate(mixed):
            for number, share in shares:
                soft[row, labels[number]] += share
        return soft[:, 1:] if self.form == "positive" else soft

    def keras_loss(self) -> Any:
        """The Keras loss."""
        import keras

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


def _same_side(truth: Any, predicted: Any) -> Any:
    """Whether both are above one half, or both are not: a mixed label is neither 0 nor 1."""
    import keras

    agrees = keras.ops.equal(keras.ops.greater(truth, 0.5), keras.ops.greater(predicted, 0.5))
    return keras.ops.mean(keras.ops.cast(agrees, "float32"), axis=-1)


def make_objective(config: Config, classes: int) -> Objective:
    """The objective of a config; labels stay class numbers where nothing asks for more."""
    train = config.train
    if config.output.activation == "sigmoid":
        loss = "binary_crossentropy" if train.loss == "auto" else train.loss
        return Objective(loss, "positive", classes, train.label_smoothing)
    loss = "categorical_crossentropy" if train.loss == "auto" else train.loss
    if loss == "categorical_crossentropy" and not train.label_smoothing and not mixes(config.augment):
        return Objective(_SPARSE, "number", classes)
    return Objective(loss, "one_hot", classes, train.label_smoothing)


def class_weights(
    setting: str | dict[str, float] | None, classes: Sequence[str], labels: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    """The factor of each image in the loss, by its class.

    `setting` is None, `balanced`, or a factor by class name (1 for those left out); `labels` are class numbers.

    Returns:
        float32 (images,). Balanced is images / (classes * images of the class), as scikit-learn has it, so that the
        mean over all images is 1.
    """
    if setting is None:
        return None
    if isinstance(setting, dict):
        factors = np.array([setting.get(name, 1.0) for name in classes], np.float32)
    else:
        counts = np.bincount(labels, minlength=len(classes))
        factors = (len(labels) / (len(classes) * np.maximum(counts, 1))).astype(np.float32)
    return factors[labels]

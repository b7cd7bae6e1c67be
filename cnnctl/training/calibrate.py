"""Temperature scaling of a trained network (Guo et al. 2017, https://arxiv.org/abs/1706.04599), in its own weights."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.schema import TestTime
from cnnctl.data.labels import Labels, are_several
from cnnctl.evaluation.calibration import calibration, fit_temperature, probabilities_at
from cnnctl.models.views import with_views


@dataclass(frozen=True)
class Calibrated:
    """The number that the logits were divided by, and what it was fitted on.

    `error_before` and `error_after` are the expected calibration errors on those `images`.
    """

    temperature: float
    split: str
    images: int
    error_before: float
    error_after: float

    def to_json(self) -> dict[str, Any]:
        """The `calibration` part of metrics.json."""
        return {
            "temperature": self.temperature,
            "split": self.split,
            "images": self.images,
            "expected_calibration_error_before": self.error_before,
            "expected_calibration_error_after": self.error_after,
        }


def calibrate(
    model: Any,
    batches: Iterable[NDArray[np.uint8]],
    labels: Labels,
    split: str,
    test_time: TestTime | None = None,
) -> Calibrated | None:
    """Divide the logits of a built Keras model by the temperature that suits these images best.

    The division is done to the weights of the output layer: logits / T are those of kernel / T and bias / T. Layers,
    shapes and answers stay. None, and the model as it was, where a logit is not finite. With `test_time` the
    logits are the means over its views.
    """
    logits = _logits(model, batches) if test_time is None else _mean_logits(model, batches, test_time)
    if not np.isfinite(logits).all():
        return None
    temperature = fit_temperature(logits, labels)
    output = model.layers[-1]
    output.set_weights([weight / np.float32(temperature) for weight in output.get_weights()])
    several = are_several(labels)
    before, after = (
        calibration(probabilities_at(logits, one, several), labels).expected_error for one in (1.0, temperature)
    )
    return Calibrated(temperature, split, len(labels), before, after)


def _logits(model: Any, batches: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """What goes into the last activation: float32 (images, units)."""
    with _linear_output(model):
        return np.concatenate([np.asarray(model.predict_on_batch(batch)) for batch in batches])


def _mean_logits(model: Any, batches: Iterable[NDArray[np.uint8]], test_time: TestTime) -> NDArray[np.float32]:
    """Their means over the views of an image: float32 (images, units)."""
    asked = with_views(model, test_time, activation="linear")
    return np.concatenate([np.asarray(asked.predict_on_batch(batch)) for batch in batches])


@contextmanager
def _linear_output(model: Any) -> Iterator[None]:
    """A block in which the network has no last activation."""
    import keras

    output = model.layers[-1]
    activation = output.activation
    output.activation = keras.activations.linear
    model.predict_function = None  # traced with the other activation
    try:
        yield
    finally:
        output.activation = activation
        model.predict_function = None

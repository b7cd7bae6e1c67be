"""Compile and fit: the loss, the optimizer, early stopping, the loop."""

from collections.abc import Sequence
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from cnnctl.config import Config
from cnnctl.config.training import Adam, Optimizer, Sgd
from cnnctl.errors import RunError
from cnnctl.runs import Run
from cnnctl.training.callbacks import Record, make_callback
from cnnctl.training.feeding import Feed, as_keras_dataset
from cnnctl.training.progress import Watcher

MOST_STEPS_PER_EXECUTION = 8


def fit(
    model: Any, config: Config, training: Feed, validation: Feed | None, run: Run, watcher: Watcher, record: Record
) -> None:
    """Train a model; its best weights are in the record, its last ones in the model.

    Args:
        model: From build_network.
        config: Its train section says how.
        training: The training batches.
        validation: The validation batches, or None: then the last epoch is the best.
        run: Gets history.csv after every epoch.
        watcher: Hears of every step and epoch.
        record: Filled epoch by epoch, so that it is of use when the training is interrupted.

    Raises:
        RunError: the loss was no finite number from the first epoch on.
    """
    settings = config.train
    model.compile(
        optimizer=make_optimizer(settings.optimizer),
        loss="binary_crossentropy" if config.output == "sigmoid" else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
        steps_per_execution=max(1, min(MOST_STEPS_PER_EXECUTION, len(training) // 4)),
    )
    callbacks = [make_callback(record, run, training, settings.epochs, watcher)]
    if settings.early_stopping is not None:
        callbacks.append(_early_stopping(config))
    model.fit(
        as_keras_dataset(training),
        epochs=settings.epochs,
        validation_data=as_keras_dataset(validation) if validation is not None else None,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )
    if not record.best_epoch:
        raise RunError(
            f"training diverged: {record.diverged or 'no epoch has a finite loss'}",
            "lower the learning_rate; batch_normalization and smaller initial weights help too",
        )
    if record.diverged:
        watcher.note(f"training diverged: {record.diverged}; the weights of epoch {record.best_epoch} are kept")


def make_optimizer(settings: Optimizer) -> Any:
    """The Keras optimizer of the settings."""
    import keras

    match settings:
        case Adam():
            return keras.optimizers.Adam(
                settings.learning_rate, settings.beta_1, settings.beta_2, settings.epsilon, settings.amsgrad
            )
        case Sgd():
            return keras.optimizers.SGD(settings.learning_rate, settings.momentum, settings.nesterov)
        case _:
            assert_never(settings)


def _early_stopping(config: Config) -> Any:
    import keras

    settings = config.train.early_stopping
    assert settings is not None
    mode = "max" if settings.monitor.endswith("accuracy") else "min"
    return keras.callbacks.EarlyStopping(settings.monitor, settings.min_delta, settings.patience, mode=mode)


def class_weights(
    setting: str | dict[str, float] | None, classes: Sequence[str], labels: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    """The factor of each image in the loss, by its class.

    Args:
        setting: None, `balanced`, or a factor by class name (1 for those left out).
        classes: Names in label order.
        labels: (images,), the class number of each training image.

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

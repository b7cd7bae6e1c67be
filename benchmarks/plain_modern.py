"""The script that a Keras user would write for benchmarks/modern.yaml: augmentation by Keras' layers.

Usage: python benchmarks/plain_modern.py CATS_DOGS_FOLDER POLICY EPOCHS SEED
"""

import json
import sys
import time

import keras
from keras import layers

SIZE, BATCH = (96, 96), 64


def block(filters: int) -> list[keras.Layer]:
    return [
        layers.Conv2D(filters, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.MaxPooling2D(2),
    ]


class Clock(keras.callbacks.Callback):
    """Seconds of the training steps of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.begun = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.last = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds.append(self.last - self.begun)


def main(folder: str, policy: str, epochs: int, seed: int) -> None:
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(policy)
    shared = {"image_size": SIZE, "batch_size": BATCH, "validation_split": 0.2, "seed": seed}
    train = keras.utils.image_dataset_from_directory(folder, subset="training", **shared)
    validation = keras.utils.image_dataset_from_directory(folder, subset="validation", **shared)
    model = keras.Sequential(
        [
            layers.Input((*SIZE, 3)),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.05),
            layers.RandomTranslation(0.1, 0.1),
            layers.RandomZoom(0.1),
            layers.RandomContrast(0.2),
            layers.Rescaling(1 / 255),
            *block(32),
            *block(64),
            *block(128),
            *block(256),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax", dtype="float32"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    clock = Clock()
    history = model.fit(
        train.cache().prefetch(2), validation_data=validation.cache(), epochs=epochs, verbose=2, callbacks=[clock]
    )
    images = len(train.file_paths)
    print(
        json.dumps(
            {
                "images_per_second": [images / seconds for seconds in clock.seconds],
                "accuracy": max(history.history["val_accuracy"]),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

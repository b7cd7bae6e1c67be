"""The network of configs/cifar10-strong.yaml in bare Keras, fitted for two epochs to arrays in memory.

Usage: python benchmarks/plain_strong.py CIFAR10_FOLDER POLICY
"""

import json
import sys
import time

import keras
import numpy as np
from keras import layers

BATCH = 128


def conv(filters: int, pool: bool) -> list[keras.Layer]:
    pooling = [layers.MaxPooling2D(2)] if pool else []
    first = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")
    return [first, layers.BatchNormalization(momentum=0.9), *pooling, layers.Activation("relu")]


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds = time.perf_counter() - self.begun


def main(folder: str, policy: str) -> None:
    data = keras.utils.image_dataset_from_directory(f"{folder}/train", image_size=(32, 32), batch_size=1000)
    batches = list(data.as_numpy_iterator())
    images = np.concatenate([images for images, _ in batches])[:48_000].astype(np.uint8)
    labels = keras.utils.to_categorical(np.concatenate([labels for _, labels in batches])[:48_000])
    keras.config.set_dtype_policy(policy)
    model = keras.Sequential(
        [
            layers.Input((32, 32, 3), dtype="uint8"),
            layers.Rescaling(1 / 64, -2.0, dtype="float32"),
            *conv(64, pool=False),
            *conv(64, pool=True),
            *conv(128, pool=True),
            *conv(256, pool=False),
            *conv(256, pool=True),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax", dtype="float32"),
        ]
    )
    optimizer = keras.optimizers.AdamW(0.001, weight_decay=0.05)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
    clock = Clock()
    model.fit(images, labels, batch_size=BATCH, epochs=2, verbose=2, callbacks=[clock])
    print(json.dumps({"images_per_second": len(images) / clock.seconds}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

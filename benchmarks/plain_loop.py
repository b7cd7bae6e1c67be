"""The networks of the benchmarks in bare Keras, fitted to random images in memory: the pace that Keras can do.

Usage: python benchmarks/plain_loop.py plain|modern|airbench POLICY IMAGES
"""

import json
import sys
import time

import keras
import numpy as np
from keras import layers


def plain() -> list[keras.Layer]:
    stack: list[keras.Layer] = []
    for filters in (32, 64, 128):
        stack += [layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)]
    return [*stack, layers.Flatten(), layers.Dense(128, activation="relu")]


def modern() -> list[keras.Layer]:
    stack: list[keras.Layer] = []
    for filters in (32, 64, 128, 256):
        stack += [layers.Conv2D(filters, 3, padding="same", use_bias=False), layers.BatchNormalization(momentum=0.9)]
        stack += [layers.Activation("relu"), layers.MaxPooling2D(2)]
    return [*stack, layers.GlobalAveragePooling2D()]


def airbench() -> list[keras.Layer]:
    stack = [layers.Conv2D(24, 2, use_bias=False, trainable=False), layers.Activation("gelu")]
    for filters, pools in ((64, True), (64, False), (256, True), (256, False), (256, True), (256, False)):
        stack.append(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        stack += [layers.MaxPooling2D(2)] if pools else []
        stack += [layers.BatchNormalization(momentum=0.6, epsilon=1e-12, scale=False), layers.Activation("gelu")]
    return [*stack, layers.MaxPooling2D(3), layers.Flatten(), layers.Rescaling(1 / 9)]


NETWORKS = {"plain": (plain, 32, 128, 10), "modern": (modern, 96, 64, 2), "airbench": (airbench, 32, 1024, 10)}


class Clock(keras.callbacks.Callback):
    """Seconds of the training steps of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.begun = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.seconds = time.perf_counter() - self.begun


def main(kind: str, policy: str, count: int) -> None:
    network, size, batch, classes = NETWORKS[kind]
    keras.config.set_dtype_policy(policy)
    output = layers.Dense(classes, activation="softmax", dtype="float32")
    scaling = layers.Rescaling(1 / 255, dtype="float32")
    model = keras.Sequential([layers.Input((size, size, 3), dtype="uint8"), scaling, *network(), output])
    if kind == "airbench":
        optimizer = keras.optimizers.SGD(1.5, momentum=0.85, nesterov=True, weight_decay=0.0089)
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    else:
        optimizer, loss = keras.optimizers.Adam(), keras.losses.CategoricalCrossentropy()
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, size, size, 3), np.uint8)
    labels = np.eye(classes, dtype=np.float32)[generator.integers(0, classes, count)]
    clock = Clock()
    model.fit(images, labels, batch_size=batch, epochs=2, verbose=2, callbacks=[clock])
    print(json.dumps({"images_per_second": count / clock.seconds}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

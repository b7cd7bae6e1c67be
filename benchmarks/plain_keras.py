"""The script that a Keras user would write for CIFAR-10 in class folders: everything at Keras' defaults.

Usage: python benchmarks/plain_keras.py CIFAR10_FOLDER [SEED]
"""

import json
import sys
import time

begun = time.perf_counter()

import keras  # noqa: E402
from keras import layers  # noqa: E402

SIZE, BATCH, EPOCHS = (32, 32), 128, 5


def main(folder: str, seed: int) -> None:
    keras.utils.set_random_seed(seed)
    train = keras.utils.image_dataset_from_directory(f"{folder}/train", image_size=SIZE, batch_size=BATCH, seed=seed)
    test = keras.utils.image_dataset_from_directory(f"{folder}/test", image_size=SIZE, batch_size=BATCH, shuffle=False)
    model = keras.Sequential(
        [
            layers.Input((*SIZE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(128, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train.cache().shuffle(400).prefetch(2), epochs=EPOCHS, verbose=2)
    loss, accuracy = model.evaluate(test.prefetch(2), verbose=0)
    model.save("plain_keras.keras")
    print(json.dumps({"accuracy": accuracy, "loss": loss, "seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)

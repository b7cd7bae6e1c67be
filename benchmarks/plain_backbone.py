"""The script that a Keras user would write to train a head on a frozen backbone.

Usage: python benchmarks/plain_backbone.py BACKBONE.keras CATS_DOGS_FOLDER EPOCHS SEED

BACKBONE.keras takes pixels that are scaled as (x - 127) / 128, as EfficientNet-Lite0 does.
"""

import json
import sys

import keras
from keras import layers

SIZE, BATCH = (224, 224), 32


def main(file: str, folder: str, epochs: int, seed: int) -> None:
    keras.utils.set_random_seed(seed)
    shared = {"image_size": SIZE, "batch_size": BATCH, "seed": seed}
    train = keras.utils.image_dataset_from_directory(folder, subset="training", validation_split=0.3, **shared)
    rest = keras.utils.image_dataset_from_directory(folder, subset="validation", validation_split=0.3, **shared)
    half = len(rest) // 2
    validation, test = rest.take(half), rest.skip(half)
    backbone = keras.models.load_model(file)
    backbone.trainable = False
    model = keras.Sequential(
        [
            layers.Input((*SIZE, 3)),
            layers.Rescaling(1 / 128, offset=-127 / 128),
            backbone,
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    best = keras.callbacks.ModelCheckpoint("best.weights.h5", save_best_only=True, save_weights_only=True)
    model.fit(train.cache().prefetch(2), validation_data=validation.cache(), epochs=epochs, verbose=2, callbacks=[best])
    model.load_weights("best.weights.h5")
    print(json.dumps({"accuracy": model.evaluate(test, verbose=0, return_dict=True)["accuracy"]}))
    model.save("model.keras")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

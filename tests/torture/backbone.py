"""What the config with a backbone needs: photos, and a backbone with batch normalization and a skip connection."""

import os
from pathlib import Path

import cv2
import numpy as np

CACHE = Path("cache")


def write(folder: Path) -> None:
    """Write both into a folder, in a process of its own: TensorFlow must not have begun where processes are forked."""
    os.environ["TORTURE"] = str(folder)  # the config names its files by it
    process = os.fork()
    if process == 0:
        code = 1
        try:
            _write_photos(folder / "photos")
            _write_backbone(folder / "small.keras")
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    assert status == 0, "the backbone could not be written"


def _write_photos(folder: Path) -> None:
    chance = np.random.default_rng(7)
    for label, level in (("dark", 60), ("grey", 120), ("light", 180)):
        (folder / label).mkdir(parents=True)
        for number in range(40):
            image = chance.integers(level - 60, level + 60, (16, 16, 3)).astype(np.uint8)
            cv2.imwrite(str(folder / label / f"{number}.png"), image)


def _write_backbone(path: Path) -> None:
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    image = layers.Input((None, None, 3))
    values = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(layers.Rescaling(1 / 255)(image))
    kept = layers.ReLU()(layers.BatchNormalization()(values))
    values = layers.Dropout(0.5)(layers.DepthwiseConv2D(3, padding="same")(kept))
    keras.Model(image, layers.Add()([kept, values])).save(path)

"""Networks whose maps are known."""

from collections.abc import Sequence

import numpy as np

from cnnctl.architecture import LayerPlan
from cnnctl.models.of_run import Network
from tests.training.build import network as make_network


def network(*items: str, shape=(6, 8, 3), classes: int = 3, output: str = "softmax", seed: int = 0) -> Network:
    """A network of these items of a model section with random weights."""
    model, plan = make_network(*items, shape=shape, classes=classes, output=output, seed=seed)
    generator = np.random.default_rng(seed)
    model.set_weights([generator.normal(0.3, 0.5, weight.shape).astype(np.float32) ** 2 for weight in model.weights])
    return Network(model, plan, tuple(f"class {number}" for number in range(classes)))


def image(shape=(6, 8, 3), seed: int = 0) -> np.ndarray:
    """Random pixels."""
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def values_of(made: Network, pixels: np.ndarray, rows: Sequence[LayerPlan]) -> list[np.ndarray]:
    """What layers put out for an image."""
    return [values for _, values in made.walk(pixels, rows)]

"""Class activation maps: which places of a picture speak for a class.

Sources: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization"
(https://arxiv.org/abs/1610.02391); Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations
of convolutional neural networks" (https://arxiv.org/abs/2011.08891).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture import LayerPlan
from cnnctl.errors import UsageError
from cnnctl.models.backend import JAX
from cnnctl.models.of_run import Network, Values

GRAD_CAM, HIRES_CAM = "grad-cam", "hires-cam"
METHODS = (GRAD_CAM, HIRES_CAM)


def insist_on_method(name: str) -> None:
    """Raises:
    UsageError: there is no such method.
    """
    if name not in METHODS:
        raise UsageError(f"there is no method {name}", f"methods are {', '.join(METHODS)}")


@dataclass(frozen=True)
class ClassMap:
    """Where a class is seen: float32 (rows, columns), 0 and more; the higher, the more a place speaks for the class."""

    number: int
    values: Values


def class_maps(
    network: Network, row: LayerPlan | None, image: NDArray[np.uint8], numbers: Sequence[int], method: str = GRAD_CAM
) -> list[ClassMap]:
    """The class activation maps of an image, uint8 (height, width, channels), made of the features of a row.

    Without a row they are made of the scaled pixels: the positive part of gradient times input. `grad-cam` is the ReLU
    of the sum over channels k of mean(dy/dA_k) A_k; `hires-cam` that of the sum of (dy/dA_k) A_k, place by place: the
    same where a global average pooling follows, and unlike Grad-CAM true to what the network computes where a flatten
    follows. y is the class' score before softmax or sigmoid.
    """
    import keras

    place = network.place(row)
    front, tail = network.model.layers[:place], network.model.layers[place:]
    found = keras.ops.convert_to_tensor(image[None])
    for layer in front:
        found = layer(found, training=False)
    maps = []
    for number in numbers:
        slope = np.asarray(_gradient(partial(_score, tail, number), found))[0]
        values = np.asarray(found, np.float32)[0]
        weights = slope if method == HIRES_CAM or row is None else slope.mean(axis=(0, 1))
        maps.append(ClassMap(int(number), np.maximum((weights * values).sum(axis=2), 0).astype(np.float32)))
    return maps


def _score(tail: Sequence[Any], number: int, values: Any) -> Any:
    """A class' score before softmax; for a sigmoid z of the second class, -z is the first one's."""
    import keras

    for layer in tail[:-1]:
        values = layer(values, training=False)
    kernel, *bias = tail[-1].weights
    scores = keras.ops.matmul(values, kernel) + (bias[0] if bias else 0.0)
    if scores.shape[1] == 1:
        return scores[0, 0] if number == 1 else -scores[0, 0]
    return scores[0, number]


def _gradient(score: Callable[[Any], Any], values: Any) -> Any:
    """The derivative of a score by every one of the values, on either backend."""
    import keras

    if keras.backend.backend() == JAX:
        import jax

        return jax.grad(score)(values)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(values)
        result = score(values)
    return tape.gradient(result, values)

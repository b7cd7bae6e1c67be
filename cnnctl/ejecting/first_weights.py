"""The convolutions of a script that begin otherwise than Keras' initializers have it, by their places."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnnctl.architecture.planner import unroll
from cnnctl.ejecting.keras_calls import layer_calls
from cnnctl.layers import AnyLayer
from cnnctl.layers.convolution import Conv2D
from cnnctl.layers.initializers import DIRAC, Whitening


@dataclass(frozen=True)
class FirstWeights:
    """Places in `model.layers`, where the scaling of the pixels is the first.

    Attributes:
        whitening: The settings of the convolution that begins with images, if there is one.
        before: How many layers what flows into it comes through; its own padding is not among them.
        place: That of this convolution.
        dirac: Those of the convolutions whose first filters pass their input through.
    """

    whitening: Whitening | None
    before: int
    place: int
    dirac: tuple[int, ...]


def first_weights(layers: Sequence[AnyLayer]) -> FirstWeights:
    """What a script has to do once its network is built."""
    whitening, before, place, dirac = None, 0, 0, []
    count = 1
    for _, layer in unroll(layers):
        start, count = count, count + len(list(layer_calls(layer)))
        if not isinstance(layer, Conv2D):
            continue
        if isinstance(layer.kernel_initializer, Whitening):
            whitening, before, place = layer.kernel_initializer, start, count - 1
        elif layer.kernel_initializer == DIRAC:
            dirac.append(count - 1)
    return FirstWeights(whitening, before, place, tuple(dirac))

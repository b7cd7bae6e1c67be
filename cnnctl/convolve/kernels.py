"""The well-known 3x3 kernels by name, and the names of the other choices. Imports nothing: `--help` names them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NamedKernel:
    """A kernel that has a name. `meaning` says what it does to a picture."""

    rows: tuple[tuple[float, ...], ...]
    meaning: str


_NINTH = 1 / 9

KERNELS = {
    "edge": NamedKernel(((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)), "differences from the neighbours, every direction"),
    "sharpen": NamedKernel(((0, -1, 0), (-1, 5, -1), (0, -1, 0)), "the picture and its edges added to it"),
    "blur": NamedKernel(((_NINTH,) * 3,) * 3, "the mean of nine pixels"),
    "emboss": NamedKernel(((-2, -1, 0), (-1, 1, 1), (0, 1, 2)), "as if lit from one corner"),
    "sobel-x": NamedKernel(((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), "change from left to right: upright edges"),
    "sobel-y": NamedKernel(((-1, -2, -1), (0, 0, 0), (1, 2, 1)), "change from top to bottom: level edges"),
    "identity": NamedKernel(((0, 0, 0), (0, 1, 0), (0, 0, 0)), "the picture as it is"),
}
"""In the order in which they are listed. Values are those of the usual tables of image processing kernels."""

ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softmax", "linear")
"""Keras' names; `linear` changes nothing, and `softmax` is over the kernels, place by place."""

POOLINGS = ("max", "average", "l2")
"""What a pooling window makes of its values: the largest, the mean, the root of the sum of squares."""

CHANNELS = ("red", "green", "blue")

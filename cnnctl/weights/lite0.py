"""EfficientNet-Lite0 from PyTorch: its tensors under the names and in the layouts of Keras' EfficientNets."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cnnctl.weights.stored import StoredLayer
from cnnctl.weights.torch_file import Tensors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCKS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks of each stage: `block1a`, `block2a`, `block2b`, ... in Keras."""

_NORMALIZATION = ("weight", "bias", "running_mean", "running_var")


def stored_layers(tensors: Tensors) -> Iterator[StoredLayer]:
    """The layers that a file has, of those of the network without its output layer."""
    names = _NAMES if "_conv_stem.weight" in tensors else _NAMES_OF_TIMM
    for module, name in names.items():
        wanted = _NORMALIZATION if name.endswith("bn") else ("weight",)
        keys = [f"{module}.{one}" for one in wanted]
        if not all(key in tensors for key in keys):
            continue
        order = _order(name)
        if order and len(tensors[keys[0]].shape) != len(order):
            raise ValueError(f"{keys[0]} is no kernel")
        shapes = tuple(_moved(tensors[key].shape, order) for key in keys)
        yield StoredLayer(name, shapes, lambda keys=keys, order=order: _arrays(tensors, keys, order))  # type: ignore[misc]


def _order(name: str) -> tuple[int, ...]:
    """How the axes of a kernel go: PyTorch has (out, in, height, width), Keras (height, width, in, out). A depthwise
    kernel is (channels, 1, height, width) in PyTorch, (height, width, channels, 1) in Keras.
    """
    if name.endswith("bn"):
        return ()
    return (2, 3, 0, 1) if name.endswith("dwconv") else (2, 3, 1, 0)


def _moved(shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in order) if order else shape


def _arrays(tensors: Tensors, keys: list[str], order: tuple[int, ...]) -> "tuple[NDArray[np.float32], ...]":
    arrays = [tensors.read(key) for key in keys]
    return tuple(array.transpose(order) if order else array for array in arrays)


def _names() -> Iterator[tuple[str, str]]:
    """The names of efficientnet_lite_pytorch, whose blocks are counted through."""
    yield from (("_conv_stem", "stem_conv"), ("_bn0", "stem_bn"), ("_conv_head", "top_conv"), ("_bn1", "top_bn"))
    for number, block in enumerate(block for stage in _stages() for block in stage):
        yield f"_blocks.{number}._expand_conv", f"{block}_expand_conv"
        yield f"_blocks.{number}._bn0", f"{block}_expand_bn"
        yield f"_blocks.{number}._depthwise_conv", f"{block}_dwconv"
        yield f"_blocks.{number}._bn1", f"{block}_bn"
        yield f"_blocks.{number}._project_conv", f"{block}_project_conv"
        yield f"_blocks.{number}._bn2", f"{block}_project_bn"


def _names_of_timm() -> Iterator[tuple[str, str]]:
    """The names of timm's tf_efficientnet_lite0, whose blocks are counted in each stage."""
    yield from (("conv_stem", "stem_conv"), ("bn1", "stem_bn"), ("conv_head", "top_conv"), ("bn2", "top_bn"))
    parts = ["expand_conv", "expand_bn", "dwconv", "bn", "project_conv", "project_bn"]
    modules = ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"]
    for number, stage in enumerate(_stages()):
        own = modules if number else ["conv_dw", "bn1", "conv_pw", "bn2"]  # the first stage does not expand
        for inner, block in enumerate(stage):
            for module, part in zip(own, parts[-len(own) :], strict=True):
                yield f"blocks.{number}.{inner}.{module}", f"{block}_{part}"


def _stages() -> list[list[str]]:
    return [[f"block{number}{'abcd'[one]}" for one in range(count)] for number, count in enumerate(_BLOCKS, 1)]


_NAMES = dict(_names())
_NAMES_OF_TIMM = dict(_names_of_timm())

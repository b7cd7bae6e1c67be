"""Files that Keras wrote are read as Keras wrote them, whoever wrote the others."""

import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from cnnctl.errors import RunError
from cnnctl.weights import hdf5
from cnnctl.weights.find import find_weights, read_weights
from cnnctl.weights.stored import Shapes

Arrays = dict[str, list[NDArray[Any]]]
GENERATOR = np.random.default_rng(5)


class Written:
    """A network of keras.applications with random weights, in every format of Keras.

    Attributes:
        arrays: By the names of layers.
        files: By their names.
    """

    def __init__(self, folder: Path) -> None:
        import keras
        from keras.src.legacy.saving import legacy_h5_format

        model = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(64, 64, 3))
        model.set_weights([GENERATOR.uniform(0.5, 1.5, array.shape).astype("f4") for array in model.get_weights()])
        nested = keras.Sequential(
            [keras.Input((64, 64, 3)), model, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
        )
        nested.compile("adam", "categorical_crossentropy")
        nested.optimizer.build(nested.trainable_variables)
        model.save_weights(folder / "own.weights.h5")
        model.save(folder / "own.keras")
        nested.save_weights(folder / "nested.weights.h5")
        nested.save(folder / "nested.keras")
        for name, one in (("legacy.h5", model), ("legacy-nested.h5", nested)):
            with h5py.File(folder / name, "w") as file:
                legacy_h5_format.save_weights_to_hdf5_group(file, one)
            legacy_h5_format.save_model_to_hdf5(one, str(folder / f"whole-{name}"), include_optimizer=False)
        self.arrays: Arrays = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
        self.files = {file.name: file for file in folder.iterdir()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("written"))


def shapes_of(arrays: Arrays) -> Shapes:
    return {name: tuple(one.shape for one in own) for name, own in arrays.items()}


def assert_same(found: Any, arrays: Arrays) -> None:
    assert list(found) == list(arrays)
    for name, own in arrays.items():
        for array, one in zip(found[name], own, strict=True):
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, one)


@pytest.mark.parametrize(
    "name",
    [
        *("own.weights.h5", "own.keras", "nested.weights.h5", "nested.keras"),
        *("legacy.h5", "legacy-nested.h5", "whole-legacy.h5", "whole-legacy-nested.h5"),
    ],
)
def test_what_keras_wrote_is_read_back(name: str, written: Written) -> None:
    assert len(written.files) == 8
    found = find_weights("MobileNetV2", str(written.files[name]), {**shapes_of(written.arrays), "Conv1_relu": ()})
    assert found.path == written.files[name]
    assert_same(found.arrays, written.arrays)


def test_places_find_layers_that_have_no_names(written: Written, tmp_path: Path) -> None:
    """As Keras wrote before it noted names."""
    path = tmp_path / "nameless.weights.h5"
    shutil.copy(written.files["own.weights.h5"], path)
    with h5py.File(path, "a") as file:
        noted = {str(group["vars"].attrs["name"]): f"layers/{key}" for key, group in file["layers"].items()}
        for group in file["layers"].values():
            del group["vars"].attrs["name"]
    places = {name: noted[name] for name in written.arrays}
    assert_same(read_weights(path, shapes_of(written.arrays), places).arrays, written.arrays)
    with pytest.raises(RunError, match="no weights for the layer Conv1 and 103 more layers of the network"):
        read_weights(path, shapes_of(written.arrays))


def random(*shapes: tuple[int, ...]) -> list[NDArray[Any]]:
    return [GENERATOR.normal(size=shape).astype(np.float32) for shape in shapes]


OLD: Arrays = {
    "normalization": random((3,), (3,), ()),
    "conv": random((3, 3, 3, 8)),
    "conv_bn": random((8,), (8,), (8,), (8,)),
    "expanded_conv_depthwise": random((3, 3, 8, 1)),
    "expanded_conv_depthwise_bn": random((8,), (8,), (8,), (8,)),
    "expanded_conv_squeeze_excite_conv": random((1, 1, 8, 8), (8,)),
    "expanded_conv_project_bn": random((8,), (8,), (8,), (8,)),
}


def write_legacy(path: Path, arrays: Arrays, names: dict[str, str], chunks: int = 1) -> Path:
    """A file of a Keras before 3: `names` are those of layers there."""
    with h5py.File(path, "w") as file:
        layers = np.array(["input_1", *(names[name] for name in arrays)], "S")
        for number, part in enumerate(np.array_split(layers, chunks)):
            file.attrs["layer_names" if chunks == 1 else f"layer_names{number}"] = part
        file.create_group("input_1").attrs["weight_names"] = np.array([], "S1")
        for name, own in arrays.items():
            group = file.require_group(names[name])
            kinds = (
                ["kernel", "bias", "count"] if len(own) != 4 else ["gamma", "beta", "moving_mean", "moving_variance"]
            )
            weights = [f"{names[name]}/{kind}:0" for kind in kinds[: len(own)]]
            group.attrs["weight_names"] = np.array(weights, "S")
            for weight, array in zip(weights, own, strict=True):
                group.create_dataset(weight, data=array)
    return path


def of_then(name: str) -> str:
    """A name of MobileNetV3 in TensorFlow's Keras 2."""
    then = {"conv": "Conv", "conv_bn": "Conv/BatchNorm"}
    inner = name.replace("expanded_conv_", "expanded_conv/").replace("_bn", "/BatchNorm")
    return then.get(name, inner.replace("excite_conv", "excite/Conv"))


@pytest.mark.parametrize("chunks", [1, 3])
def test_names_of_older_versions_are_known(chunks: int, tmp_path: Path) -> None:
    """In another order than the network's, so that it is the names that count."""
    turned = dict(reversed(OLD.items()))
    path = write_legacy(tmp_path / "old.h5", turned, {name: of_then(name) for name in OLD}, chunks)
    assert_same(read_weights(path, shapes_of(OLD)).arrays, OLD)


def test_where_names_are_others_the_order_counts(tmp_path: Path) -> None:
    names = {name: f"layer_{number}" for number, name in enumerate(OLD)}
    path = write_legacy(tmp_path / "old.h5", {**OLD, "top": random((8, 10))}, {**names, "top": "predictions"})
    assert_same(read_weights(path, shapes_of(OLD)).arrays, OLD)
    turned = write_legacy(tmp_path / "turned.h5", dict(reversed(OLD.items())), names)
    with pytest.raises(RunError, match="no weights for the layer normalization and 6 more layers"):
        read_weights(turned, shapes_of(OLD))


def test_a_layer_of_another_shape_is_named(tmp_path: Path) -> None:
    path = write_legacy(tmp_path / "old.h5", OLD, {name: name for name in OLD})
    other = {**shapes_of(OLD), "conv": ((3, 3, 3, 16),)}
    with pytest.raises(RunError, match="the layer conv are 3x3x3x8; the network has 3x3x3x16") as refused:
        read_weights(path, other)
    assert refused.value.hint == "take a file of the same network"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_legacy(tmp_path / "small.h5", OLD, {name: name for name in OLD})


def replaced(path: Path, name: str) -> h5py.Group:
    """The group of a layer in a file that is open, without its kernel."""
    file = h5py.File(path, "a")
    del file[f"{name}/{name}/kernel:0"]
    return file[f"{name}/{name}"]


def external_link(path: Path) -> None:
    replaced(path, "conv")["kernel:0"] = h5py.ExternalLink("other.h5", "/secret")


def soft_link(path: Path) -> None:
    replaced(path, "conv")["kernel:0"] = h5py.SoftLink("/expanded_conv_depthwise/expanded_conv_depthwise/kernel:0")


def external_storage(path: Path) -> None:
    (path.parent / "secret").write_bytes(bytes(864))
    replaced(path, "conv").create_dataset("kernel:0", (3, 3, 3, 8), "f4", external=[(path.parent / "secret", 0, 864)])


def virtual(path: Path) -> None:
    with h5py.File(path.parent / "other.h5", "w") as other:
        other["secret"] = OLD["conv"][0]
    layout = h5py.VirtualLayout((3, 3, 3, 8), "f4")
    layout[:] = h5py.VirtualSource(path.parent / "other.h5", "secret", (3, 3, 3, 8))
    replaced(path, "conv").create_virtual_dataset("kernel:0", layout)


def large_pieces(path: Path) -> None:
    replaced(path, "conv").create_dataset(
        "kernel:0", (3, 3, 3, 8), "f4", maxshape=(None, None, None, None), chunks=(2**10, 2**10, 3, 2**5), compression=9
    )


def texts(path: Path) -> None:
    replaced(path, "conv").create_dataset("kernel:0", data=np.full((3, 3, 3, 8), b"x", "S4"))


def a_group(path: Path) -> None:
    replaced(path, "conv").create_group("kernel:0")


def nothing(path: Path) -> None:
    replaced(path, "conv")


def huge(path: Path) -> None:
    replaced(path, "conv").create_dataset("kernel:0", (2**20, 2**20, 2**10), "f4", chunks=(64, 64, 64), compression=9)


def names_of_numbers(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = np.arange(5)


def too_many_names(path: Path) -> None:
    with h5py.File(path, "a") as file:
        for number in range(4):
            file.attrs[f"layer_names{number}"] = np.full(4000, b"conv", "S4")
        del file.attrs["layer_names"]


def a_name_that_leads_out(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = np.array([b"conv/..", b"/"], "S")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (external_link, "is a link"),
        (soft_link, "is a link"),
        (external_storage, "lies in another file"),
        (virtual, "lies in another file"),
        (large_pieces, "stored in pieces of 402,653,184 bytes"),
        (texts, "holds no numbers"),
        (a_group, "is not an array"),
        (nothing, "there is no conv/kernel:0"),
        (huge, "the layer conv are 1048576x1048576x1024; the network has 3x3x3x8"),
        (names_of_numbers, "no list of names"),
        (too_many_names, "no list of names"),
        (a_name_that_leads_out, "there is no"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_leads_out_of_the_file_or_into_memory_is_refused(
    harm: Callable[[Path], None], reason: str, small: Path
) -> None:
    harm(small)
    with pytest.raises(RunError, match=reason):
        read_weights(small, shapes_of(OLD))


@pytest.fixture
def modern(tmp_path: Path) -> Iterator[h5py.File]:
    with h5py.File(tmp_path / "modern.weights.h5", "w") as file:
        yield file


def test_groups_without_an_end_are_refused(modern: h5py.File) -> None:
    modern.create_group("layers/conv/vars")["0"] = OLD["conv"][0]
    modern["layers/conv/inner"] = modern["layers"]
    with pytest.raises(ValueError, match="too deep"):
        hdf5.stored_layers(modern)


def test_too_many_groups_are_refused(modern: h5py.File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "_MOST_GROUPS", 20)
    for number in range(30):
        modern.create_group(f"layers/conv_{number}")
    with pytest.raises(ValueError, match="more than 20 groups"):
        hdf5.stored_layers(modern)


def test_links_in_a_file_of_keras_3_are_not_followed(modern: h5py.File) -> None:
    modern.create_group("layers/conv/vars")["0"] = OLD["conv"][0]
    modern["layers/out"] = h5py.ExternalLink("other.h5", "/")
    modern["layers/soft"] = h5py.SoftLink("/layers/conv")
    assert [layer.place for layer in hdf5.stored_layers(modern)] == ["layers/conv"]


def test_two_layers_of_one_name_are_not_told_apart(modern: h5py.File) -> None:
    for place in ("a", "b"):
        group = modern.create_group(f"layers/{place}/vars")
        group["0"] = OLD["conv"][0]
        group.attrs["name"] = "conv"
    modern.flush()
    with pytest.raises(RunError, match="no weights for the layer conv of the network"):
        read_weights(Path(modern.filename), {"conv": ((3, 3, 3, 8),)})


def test_files_that_are_no_weights(small: Path, tmp_path: Path) -> None:
    content = small.read_bytes()
    for number, wrong in enumerate((b"", b"text", content[:100], content[: len(content) // 2], content[::-1])):
        path = tmp_path / f"{number}.h5"
        path.write_bytes(wrong)
        with pytest.raises(RunError, match=rf"{number}.h5 cannot be read as weights"):
            read_weights(path, shapes_of(OLD))
    with pytest.raises(RunError, match="there is no file"):
        read_weights(tmp_path / "none.h5", {})
    with pytest.raises(RunError, match="is no file of weights") as refused:
        read_weights(tmp_path / "a.onnx", {})
    assert refused.value.hint == "weights are in files that end in .h5, .keras, .pth, .pt"
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(RunError, match="cannot be read as weights"):
        read_weights(tmp_path / "folder.h5", {})


def test_a_keras_file_that_unpacks_to_any_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(10_000_000))
    with pytest.raises(RunError, match="compressed beyond what weights can be"):
        read_weights(path, {})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(RunError, match=r"no item named 'model.weights.h5'"):
        read_weights(path, {})

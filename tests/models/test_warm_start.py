"""Fine-tuning: whose weights are taken, which layers begin anew, and what is refused with its reason."""

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from cnnctl.architecture.keras_file import read_scaling
from cnnctl.architecture.scaling import UNIT
from cnnctl.errors import EXIT_RUN, RunError
from cnnctl.models import load
from cnnctl.models.save import save_keras
from cnnctl.models.warm_start import describe_taken, read_start, take_weights
from cnnctl.runs import Run
from cnnctl.system import files
from tests.models.test_save import randomise
from tests.training.build import network, pixels

ITEMS = (
    "conv2d: {filters: 4, kernel_size: 3, use_bias: false}",
    "batch_normalization",
    "l2_pooling2d: {pool_size: 2, strides: 1}",
    "depthwise_conv2d: {kernel_size: 1}",
    "flatten",
    "dense: {units: 5}",
)
HIDDEN = ("conv2d", "batch_normalization", "depthwise_conv2d", "dense")
CLASSES = ("cat", "dog", "no")


def trained(folder: Path, *items: str, classes: tuple[str, ...] = CLASSES, **options):
    """A run of a network whose weights are nowhere as they begin, and its model."""
    model, _ = network(*items or ITEMS, classes=len(classes), seed=1, **options)
    randomise(model)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder)
    save_keras(model, run)
    files.write_json(run.classes, list(classes))
    files.write_json(run.metrics, {})
    return run, model


def assert_taken(model, source, names):
    """These layers have the weights of `source`, all others those that they began with."""
    fresh, _ = network(*ITEMS, classes=model.output_shape[1], seed=2)
    for layer, other, new in zip(model.layers, source.layers, fresh.layers, strict=True):
        for ours, theirs in zip(
            layer.get_weights(), (other if layer.name in names else new).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def places(run: Run):
    yield "the run", str(run.path)
    yield "the runs of its name", str(run.path.parent)
    yield "the file", str(run.keras_model)


@pytest.mark.parametrize("place", ["the run", "the runs of its name", "the file"])
def test_the_same_network_takes_every_weight(place, tmp_path):
    trained(tmp_path / "pets" / "2", "flatten")  # an older one
    run, source = trained(tmp_path / "pets" / "10")
    model, _ = network(*ITEMS, seed=2)
    start = read_start(dict(places(run))[place])
    taken = take_weights(model, start, CLASSES)
    assert_taken(model, source, (*HIDDEN, "probabilities"))
    np.testing.assert_allclose(model.predict_on_batch(pixels(3)), source.predict_on_batch(pixels(3)), rtol=1e-6)
    assert (taken.layers, taken.left) == ((*HIDDEN, "probabilities"), None)
    said = f"initial weights: {', '.join(HIDDEN)}, probabilities from {run.keras_model}"
    assert describe_taken(start, taken) == said


def test_moving_statistics_are_taken_even_where_nothing_else_is_learnt(tmp_path):
    items = ("batch_normalization", "batch_normalization: {center: false, scale: false}", "flatten")
    run, source = trained(tmp_path, *items)
    model, _ = network(*items, seed=2, trains=True)
    taken = take_weights(model, read_start(str(run.path)), CLASSES)
    assert taken.layers == ("batch_normalization", "batch_normalization_1", "probabilities")
    for weight, other in zip(model.non_trainable_weights, source.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(weight, other)
        assert (np.abs(np.asarray(weight) - (0 if "mean" in weight.path else 1)) > 1e-3).all()
    assert len(model.non_trainable_weights) == 4


OTHERS = [
    (("cat", "dog", "yes"), "the classes differ"),
    (("dog", "cat", "no"), "the classes differ"),
    (("cat", "dog"), "the classes differ"),
    (("a", "b", "c", "d"), "the classes differ"),
]


@pytest.mark.parametrize(("classes", "left"), OTHERS)
def test_other_classes_take_all_but_the_output_layer(classes, left, tmp_path):
    run, source = trained(tmp_path)
    model, _ = network(*ITEMS, classes=len(classes), seed=2)
    start = read_start(str(run.path))
    taken = take_weights(model, start, classes)
    assert_taken(model, source, HIDDEN)
    assert taken.layers == HIDDEN
    assert describe_taken(start, taken) == (
        f"initial weights: {', '.join(HIDDEN)} from {run.keras_model}; the output layer is initialized: {left}"
    )


def test_a_file_without_classes_leaves_an_output_layer_of_another_shape(tmp_path):
    run, source = trained(tmp_path)
    model, _ = network(*ITEMS, classes=5, seed=2)
    taken = take_weights(model, read_start(str(run.keras_model)), ("1", "2", "3", "4", "5"))
    assert_taken(model, source, HIDDEN)
    assert taken.left == "its shape differs"


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_one_unit_and_two_units_are_not_the_same_output_layer(output, tmp_path):
    other = "sigmoid" if output == "softmax" else "softmax"
    run, _ = trained(tmp_path, "flatten", classes=("a", "b"), output=other)
    model, _ = network("flatten", classes=2, output=output)
    taken = take_weights(model, read_start(str(run.path)), ("a", "b"))
    assert (taken.layers, taken.left) == ((), "its shape differs")
    assert describe_taken(read_start(str(run.path)), taken).startswith("initial weights: no layer from ")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_network_of_mixed_precision_takes_them_as_they_are(policy, tmp_path):
    run, source = trained(tmp_path)
    model, _ = network(*ITEMS, seed=2, policy=policy, trains=True)
    take_weights(model, read_start(str(run.path)), CLASSES)
    for ours, theirs in zip(model.get_weights(), source.get_weights(), strict=True):
        assert (ours.dtype, ours.tolist()) == (np.float32, theirs.tolist())


UNLIKE = {
    "fewer layers": (ITEMS[1:], "has 5 layers with weights, and this network has 4"),
    "more layers": ((*ITEMS, "dense: {units: 5}"), "has 5 layers with weights, and this network has 6"),
    "another width": (
        (*ITEMS[:-1], "dense: {units: 6}"),
        "dense has weights of shape [(8, 6), (6,)], and dense in {file} of [(8, 5), (5,)]",
    ),
    "another kernel": (
        ("conv2d: {filters: 4, kernel_size: 2, use_bias: false}", *ITEMS[1:]),
        "conv2d has weights of shape [(2, 2, 3, 4)], and conv2d in {file} of [(3, 3, 3, 4)]",
    ),
    "a bias": (
        ("conv2d: {filters: 4, kernel_size: 3}", *ITEMS[1:]),
        "conv2d has weights of shape [(3, 3, 3, 4), (4,)], and conv2d in {file} of [(3, 3, 3, 4)]",
    ),
    "another order": (
        (*ITEMS[:1], *ITEMS[2:4], ITEMS[1], *ITEMS[4:]),
        "depthwise_conv2d has weights of shape [(1, 1, 4, 1), (4,)], and batch_normalization in {file} of "
        "[(4,), (4,), (4,), (4,)]",
    ),
}


@pytest.mark.parametrize(("items", "said"), UNLIKE.values(), ids=UNLIKE)
def test_another_network_is_refused_by_its_layer(items, said, tmp_path):
    run, _ = trained(tmp_path)
    model, _ = network(*items, seed=2)
    with pytest.raises(RunError) as caught:
        take_weights(model, read_start(str(run.path)), CLASSES)
    assert caught.value.exit_code == EXIT_RUN
    assert said.replace("{file}", str(run.keras_model)) in caught.value.message
    assert str(run.keras_model) in caught.value.message
    assert caught.value.hint == (
        "the layers must be those of the config that it was trained with; only the output layer may differ"
    )


def rewritten(path: Path, name: str, content: bytes | None) -> bytes:
    """A zip with one member replaced, or left out."""
    other = path.with_suffix(".zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for member in old.namelist():
            if member != name:
                new.writestr(member, old.read(member))
            elif content is not None:
                new.writestr(member, content)
    return other.read_bytes()


def flipped(data: bytes, mark: bytes, after: int = 0) -> bytes:
    """64 bytes turned around, some way after a mark."""
    place = data.index(mark) + after
    return data[:place] + bytes(255 - byte for byte in data[place : place + 64]) + data[place + 64 :]


def squeezed(path: Path) -> bytes:
    """A zip whose members are compressed, one of them damaged."""
    other = path.with_suffix(".zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, old.read(member))
    return flipped(other.read_bytes(), b"config.json", 400)


def as_config(module: str, name: str) -> bytes:
    return json.dumps({"module": module, "class_name": name, "config": {}, "registered_name": None}).encode()


DAMAGES = {
    "no zip": lambda path: b"hello",
    "empty": lambda path: b"",
    "cut off": lambda path: path.read_bytes()[:-200],
    "the end is missing": lambda path: path.read_bytes()[: path.stat().st_size // 2],
    "weights damaged": lambda path: flipped(path.read_bytes(), b"\x89HDF", 40),
    "weights damaged in the middle": lambda path: flipped(path.read_bytes(), b"\x89HDF", 3000),
    "config damaged": lambda path: flipped(path.read_bytes(), b'"config"'),
    "compressed and damaged": squeezed,
    "a zip of something else": lambda path: rewritten(path, "config.json", None),
    "without weights": lambda path: rewritten(path, "model.weights.h5", None),
    "weights are no HDF5": lambda path: rewritten(path, "model.weights.h5", b"hello"),
    "config is no JSON": lambda path: rewritten(path, "config.json", b"hello"),
    "config is another JSON": lambda path: rewritten(path, "config.json", b"[1, 2]"),
    "config is empty": lambda path: rewritten(path, "config.json", b"{}"),
    "of an unknown class": lambda path: rewritten(path, "config.json", as_config("nowhere", "Nothing")),
    "of a layer, not a model": lambda path: rewritten(path, "config.json", as_config("keras.layers", "Flatten")),
}


SCALINGS = {
    "deep": b'{"config": ' + b"[" * 100_000,
    "no number": b'{"config": {"layers": [{"class_name": "Rescaling", "config": {"scale": "x", "offset": 0}}]}}',
    "too large": b'{"config": {"layers": [{"class_name": "Rescaling", "config": {"scale": 1'
    + b"0" * 400
    + b', "offset": 0}}]}}',
    "infinite": b'{"config": {"layers": [{"class_name": "Rescaling", "config": {"scale": 1e999, "offset": 0}}]}}',
    "four": b'{"config": {"layers": [{"class_name": "Rescaling", "config": {"scale": [1, 1, 1, 1], "offset": 0}}]}}',
    "twice": b'{"config": {"layers": [{"class_name": "Rescaling"}, {"class_name": "Rescaling"}]}}',
    "none": b'{"config": {"layers": []}}',
}


@pytest.mark.parametrize("content", SCALINGS.values(), ids=SCALINGS)
def test_a_scaling_that_is_none_is_named(content, tmp_path):
    run, _ = trained(tmp_path)
    run.keras_model.write_bytes(rewritten(run.keras_model, "config.json", content))
    with pytest.raises(RunError):
        read_scaling(run.keras_model)


def test_the_scaling_of_a_file_is_that_of_its_network(tmp_path):
    run, _ = trained(tmp_path)
    scale, offset = read_scaling(run.keras_model)
    assert (scale, offset) == (UNIT.scale, UNIT.offset)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_named(damage, tmp_path):
    run, _ = trained(tmp_path)
    run.keras_model.write_bytes(damage(run.keras_model))
    for place in (run.path, run.keras_model):
        with pytest.raises(RunError) as caught:
            read_start(str(place))
        assert caught.value.exit_code == EXIT_RUN
        assert caught.value.message.startswith(f"{run.keras_model}")
        assert "\n" not in caught.value.message
        assert caught.value.hint == "train.initial_weights takes a run or a .keras file"


def test_a_missing_run_or_model_is_named(tmp_path):
    with pytest.raises(RunError, match="there is no run at"):
        read_start(str(tmp_path / "nothing"))
    with pytest.raises(RunError, match=r"there is no file .*nothing\.keras"):
        read_start(str(tmp_path / "nothing.keras"))
    files.write_json(Run(tmp_path).classes, list(CLASSES))
    with pytest.raises(RunError, match=r"has no model\.keras"):
        read_start(str(tmp_path))


def test_a_lambda_layer_runs_no_code(keras, tmp_path):
    """Neither when the file is read nor later; Keras itself, told to trust it, runs it: the file is a real one."""
    witness = tmp_path / "witness"
    leave = eval(f"lambda x: (__import__('pathlib').Path({str(witness)!r}).touch(), x)[1]")  # the code of a stranger
    layers = [keras.Input((5, 4, 3)), keras.layers.Lambda(leave), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    model.save(tmp_path / "model.keras")
    witness.unlink()
    with pytest.raises(RunError, match=r"model\.keras has a layer Lambda, which a config cannot have"):
        read_start(str(tmp_path / "model.keras"))
    assert not witness.exists()
    keras.saving.load_model(tmp_path / "model.keras", safe_mode=False)
    assert witness.exists()


def with_config(run: Run, change) -> None:
    """Change the config.json inside a model.keras."""
    with zipfile.ZipFile(run.keras_model) as archive:
        content = json.loads(archive.read("config.json"))
    change(content["config"]["layers"])
    run.keras_model.write_bytes(rewritten(run.keras_model, "config.json", json.dumps(content).encode()))


def test_no_module_that_a_config_names_is_imported(tmp_path, monkeypatch):
    """Classes, initializers, policies: nothing of it reaches Keras, and the weights are taken."""
    run, source = trained(tmp_path)
    (tmp_path / "stranger.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    evil = {"module": "stranger", "class_name": "Stranger", "config": {}, "registered_name": "Stranger"}

    def change(layers):
        for layer in layers[1:]:
            layer["module"] = "stranger"
            layer["registered_name"] = "stranger>Stranger"
            layer["config"]["dtype"] = evil
            layer["config"]["kernel_initializer"] = evil
            layer["config"]["kernel_constraint"] = evil

    with_config(run, change)
    model, _ = network(*ITEMS, seed=2)
    take_weights(model, read_start(str(run.path)), CLASSES)
    assert_taken(model, source, (*HIDDEN, "probabilities"))


def test_a_network_larger_than_its_weights_takes_no_memory(tmp_path, monkeypatch):
    run, _ = trained(tmp_path)
    monkeypatch.setattr(load, "build_network", None)
    with_config(run, lambda layers: layers[-2]["config"].update(units=65_536))
    with pytest.raises(RunError, match=r"holds [\d,]+ bytes of weights for [\d,]{7,} parameters"):
        read_start(str(run.path))


def weights_file(run: Run, change) -> None:
    """Change the model.weights.h5 inside a model.keras."""
    with zipfile.ZipFile(run.keras_model) as archive:
        stream = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(stream, "r+") as file:
        change(file)
    run.keras_model.write_bytes(rewritten(run.keras_model, "model.weights.h5", stream.getvalue()))


def test_weights_that_claim_more_than_there_is_take_no_memory(tmp_path, monkeypatch):
    run, _ = trained(tmp_path)
    monkeypatch.setattr(load, "build_network", None)
    weights_file(run, lambda file: file.create_dataset("bomb", (10**6, 10**6), "f4", chunks=(1, 1000)))
    with pytest.raises(RunError, match=r"claims 4,000,000,\S+ bytes of weights"):
        read_start(str(run.path))


def test_what_was_saved_with_its_optimizer_is_taken(tmp_path):
    """As Keras saves after a fit; a dense layer, so that what HDF5 needs by itself does not make room for it."""
    items = ("flatten", "dense: {units: 4000}")
    run, source = trained(tmp_path, *items)
    source.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    source.optimizer.build(source.trainable_variables)
    save_keras(source, run)
    model, _ = network(*items, seed=2)
    assert take_weights(model, read_start(str(run.path)), CLASSES).left is None


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_a_bound_are_refused(method, tmp_path):
    run, _ = trained(tmp_path)
    with zipfile.ZipFile(run.keras_model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(run.keras_model, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(RunError, match="has an unsupported compression method"):
        read_start(str(run.path))


def test_weights_in_other_files_are_not_read(tmp_path):
    run, _ = trained(tmp_path / "run")
    other, _ = trained(tmp_path / "other")
    with zipfile.ZipFile(other.keras_model) as archive:
        (tmp_path / "secret.h5").write_bytes(archive.read("model.weights.h5"))

    def link(file):
        del file["layers"]
        file["layers"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/layers")

    weights_file(run, link)
    with pytest.raises(RunError, match=r"model\.keras: the file lacks the weights of layers/conv2d"):
        read_start(str(run.path))


def test_weights_that_are_packed_too_well_are_not_unpacked(tmp_path):
    run, _ = trained(tmp_path, "flatten", "dense: {units: 20000}", shape=(10, 10, 3))
    with zipfile.ZipFile(run.keras_model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["model.weights.h5"] = bytes(len(members["model.weights.h5"]))
    with zipfile.ZipFile(run.keras_model, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(RunError, match=r"holds 24,\S+ bytes of weights for 6,0\S+ parameters"):
        read_start(str(run.path))


def test_a_config_that_names_a_python_function_runs_no_code(tmp_path):
    run, _ = trained(tmp_path, "flatten")
    witness = tmp_path / "witness"
    with zipfile.ZipFile(run.keras_model) as archive:
        content = json.loads(archive.read("config.json"))
    evil = {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "function"}
    output = content["config"]["layers"][-1]
    assert output["class_name"] == "Dense"
    output["config"]["activation"] = evil
    output["config"]["name"] = f"open({str(witness)!r}, 'w')"
    run.keras_model.write_bytes(rewritten(run.keras_model, "config.json", json.dumps(content).encode()))
    with pytest.raises(RunError, match=r"not a valid \.keras file"):
        read_start(str(run.path))
    assert not witness.exists()

"""Networks from .keras files of strangers: what is stock is read, anything else is refused with a reason."""

import copy
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cnnctl.architecture.backbone import graph_of_file
from cnnctl.architecture.keras_file import read_keras_file, read_weights
from cnnctl.architecture.keras_weights import read_arrays
from cnnctl.architecture.scaling import NONE
from cnnctl.errors import RunError
from tests.architecture.build import plan

POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}


def tensor(name: str) -> dict[str, Any]:
    config = {"shape": [None, 8, 8, 3], "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def entry(kind: str, name: str, *sources: Any, **settings: Any) -> dict[str, Any]:
    args = [[tensor(one) for one in sources]] if len(sources) > 1 else [tensor(one) for one in sources]
    return {
        "module": "keras.layers",
        "class_name": kind,
        "registered_name": None,
        "name": name,
        "config": {"name": name, "trainable": True, "dtype": POLICY, **settings},
        "inbound_nodes": [{"args": args, "kwargs": {}}] if sources else [],
    }


def conv(name: str, source: str, **more: Any) -> dict[str, Any]:
    settings = {"filters": 4, "kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "groups": 1}
    settings |= {"data_format": "channels_last", "dilation_rate": [1, 1], "activation": "linear", "use_bias": True}
    return entry("Conv2D", name, source, **{**settings, **more})


def model(*entries: dict[str, Any], output: str = "b", **more: Any) -> dict[str, Any]:
    image = entry("InputLayer", "in", batch_shape=[None, 8, 8, 3])
    config = {"name": "net", "trainable": True, "layers": [image, *entries]}
    config |= {"input_layers": ["in", 0, 0], "output_layers": [output, 0, 0], **more}
    return {"module": "keras", "class_name": "Functional", "registered_name": "Functional", "config": config}


GOOD = model(conv("a", "in"), conv("b", "a"))


def write(path: Path, config: Any, arrays: dict[str, np.ndarray] | None = None) -> Path:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for place, array in (arrays or {}).items():
            file[place] = array
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def edited(*steps: Any, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(GOOD)
    item: Any = changed
    for step in steps[:-1]:
        item = item[step]
    item[steps[-1]] = value
    return changed


LAYERS = ("config", "layers")
HOSTILE = {
    "lambda": (model(entry("Lambda", "b", "in", function={"class_name": "__lambda__"})), "has a layer Lambda"),
    "operation": (model(entry("TFOpLambda", "b", "in")), "has a layer TFOpLambda"),
    "file": (model(entry("TFSMLayer", "b", "in", filepath="/etc")), "has a layer TFSMLayer"),
    "registered": (edited(*LAYERS, 1, "registered_name", value="evil>Conv2D"), "not Keras' own (evil>Conv2D)"),
    "module": (edited(*LAYERS, 1, "module", value="os"), "not Keras' own (os)"),
    "module path": (edited(*LAYERS, 1, "module", value="keras.layers/../x"), "not Keras' own"),
    "no module": (edited(*LAYERS, 1, "module", value=None), "not Keras' own"),
    "custom model": (edited("registered_name", value="pkg>Functional"), "not Keras' own"),
    "class": (edited("class_name", value="Backbone"), "holds a Backbone model"),
    "activation": (edited(*LAYERS, 1, "config", "activation", value="exec"), "activation=exec"),
    "activation object": (
        edited(*LAYERS, 1, "config", "activation", value={"class_name": "function", "config": "f"}),
        "activation=f",
    ),
    "text for a number": (edited(*LAYERS, 1, "config", "filters", value="4"), "filters=4"),
    "a fraction": (edited(*LAYERS, 1, "config", "filters", value=4.5), "filters=4.5"),
    "a truth": (edited(*LAYERS, 1, "config", "filters", value=True), "filters=True"),
    "a number for a truth": (edited(*LAYERS, 1, "config", "use_bias", value=1), "use_bias=1"),
    "a negative number": (edited(*LAYERS, 1, "config", "filters", value=-1), "filters=-1"),
    "too many filters": (edited(*LAYERS, 1, "config", "filters", value=10**9), "filters=1000000000"),
    "zeros": (edited(*LAYERS, 1, "config", "padding", value=2), "padding=2"),
    "channels first": (
        edited(*LAYERS, 1, "config", "data_format", value="channels_first"),
        "data_format=channels_first",
    ),
    "unknown setting": (edited(*LAYERS, 1, "config", "lora_rank", value=4), "lora_rank=4"),
    "quantized": (
        edited(*LAYERS, 1, "config", "dtype", value={"class_name": "QuantizedDTypePolicy"}),
        "the layer a is quantized",
    ),
    "rows normalized": (model(entry("BatchNormalization", "b", "in", axis=1)), "axis=1"),
    "infinite": (model(entry("Rescaling", "b", "in", scale=float("inf"))), "scale=inf"),
    "cycle": (model(conv("a", "b"), conv("b", "a")), "uses b before it is computed"),
    "itself": (model(conv("b", "b")), "uses b before it is computed"),
    "shared layer": (edited(*LAYERS, 1, "inbound_nodes", value=[{}, {}]), "uses the layer a 2 times"),
    "two inputs": (edited("config", "input_layers", value=[["in", 0, 0], ["a", 0, 0]]), "more than one input"),
    "two outputs": (edited("config", "output_layers", value=[["a", 0, 0], ["b", 0, 0]]), "more than one output"),
    "another input": (
        model(entry("InputLayer", "x", batch_shape=[None, 8, 8, 3]), conv("b", "x")),
        "more than one input",
    ),
    "a name twice": (model(conv("a", "in"), conv("a", "in"), conv("b", "a")), "has two layers a"),
    "a name with a slash": (model(conv("a/../b", "in"), conv("b", "a/../b")), "name is a/../b"),
    "keras 2": (edited(*LAYERS, 1, "inbound_nodes", value=[[["in", 0, 0, {}]]]), "was written by Keras 2"),
    "a strange argument": (
        edited(*LAYERS, 1, "inbound_nodes", 0, "kwargs", value={"mask": {"class_name": "x"}}),
        "calls the layer a with mask",
    ),
    "too many inputs": (model(conv("a", "in"), entry("Conv2D", "b", "in", "a", filters=1, kernel_size=1)), "2 inputs"),
    "one summand": (model(entry("Add", "b", "in")), "with 1 inputs"),
    "no shape": (edited(*LAYERS, 0, "config", "batch_shape", value=[None, 5]), "does not take images"),
    "a huge image": (edited(*LAYERS, 0, "config", "batch_shape", value=[None, 8, 8, 10**12]), "does not take images"),
    "shapes apart": (
        model(entry("MaxPooling2D", "a", "in", pool_size=[2, 2]), entry("Add", "b", "in", "a")),
        "b: the inputs do not fit together",
    ),
    "nothing left": (
        model(entry("MaxPooling2D", "b", "in", pool_size=[9, 9])),
        "b: the output would be empty",
    ),
    "reshaped": (model(entry("Reshape", "b", "in", target_shape=[7])), "b: the values do not fit the shape"),
    "growing": (
        model(
            *(entry("Concatenate", f"c{n}", *[f"c{n - 1}" if n else "in"] * 2, axis=-1) for n in range(60)),
            output="c59",
        ),
        "is too large",
    ),
    "multiplied": (
        model(entry("DepthwiseConv2D", "b", "in", kernel_size=[99999, 99999], depth_multiplier=99999, padding="same")),
        "is too large",
    ),
    "many": (
        model(*(entry("Activation", f"r{n}", f"r{n - 1}" if n else "in", activation="relu") for n in range(5001))),
        "more than 5,000 layers",
    ),
    "no layers": (model(output="in"), "has no layers"),
    "a list": ([], "holds no model"),
    "nothing": ({}, "is not a valid .keras file"),
    "layers of text": (edited("config", "layers", value="layers"), "is not a valid .keras file"),
    "a layer of text": (edited("config", "layers", value=["x"]), "is not a valid .keras file"),
    "unknown output": (edited("config", "output_layers", value=["z", 0, 0]), "is not a valid .keras file"),
    "no settings": (edited(*LAYERS, 1, "config", value=None), "is not a valid .keras file"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_not_stock_is_refused_with_a_reason(tmp_path, case):
    config, reason = HOSTILE[case]
    path = write(tmp_path / "x.keras", config)
    for read in (graph_of_file, read_keras_file):
        with pytest.raises(RunError) as error:
            read(path)
        assert reason in error.value.message
        assert len(error.value.message) < 400
    (problem,) = plan(f"backbone: {{file: {path}}}", "flatten", shape=(8, 8, 3)).problems
    assert problem.path == ("model", 0, "backbone", "file")
    assert reason in problem.message


def test_layers_of_models_within_get_names_of_their_own(tmp_path):
    def within(name: str, source: str) -> dict[str, Any]:
        inner = model(conv("a", "in"), output="a")
        inner["config"]["name"] = name
        return {**inner, "name": name, "inbound_nodes": [{"args": [tensor(source)], "kwargs": {}}]}

    config = model(within("m", "in"), within("n", "m"), conv("a_1", "n"), within("o", "a_1"), output="o")
    graph = graph_of_file(write(tmp_path / "x.keras", config))
    assert [node.name for node in graph.nodes] == ["a", "a_1", "a_1_1", "a_2"]


def test_models_within_models_have_a_limit(tmp_path):
    inner: dict[str, Any] = model(conv("b", "in"))
    for depth in range(12):
        outer = {**inner, "name": f"m{depth}", "inbound_nodes": [{"args": [tensor("in")], "kwargs": {}}]}
        outer["config"] = {**inner["config"], "name": f"m{depth}"}
        inner = model(outer, output=f"m{depth}")
    with pytest.raises(RunError, match="models within models"):
        graph_of_file(write(tmp_path / "x.keras", inner))
    (tmp_path / "y.keras").write_bytes(b"")
    nested = '{"config":' * 30_000 + "1" + "}" * 30_000
    with zipfile.ZipFile(tmp_path / "y.keras", "w") as archive:
        archive.writestr("config.json", nested)
    with pytest.raises(RunError, match="nested too deep"):
        graph_of_file(tmp_path / "y.keras")


def arrays_of(**more: np.ndarray) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    made = {"layers/conv2d/vars/0": (3, 3, 3, 4), "layers/conv2d/vars/1": (4,)}
    made |= {"layers/conv2d_1/vars/0": (3, 3, 4, 4), "layers/conv2d_1/vars/1": (4,)}
    return {**{place: generator.normal(size=shape).astype("f4") for place, shape in made.items()}, **more}


def test_weights_are_read_by_their_places(tmp_path):
    arrays = arrays_of()
    path = write(tmp_path / "x.keras", GOOD, arrays)
    graph = graph_of_file(path)
    found = read_arrays(path, graph.places, graph.weight_shapes())
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["b"][0], arrays["layers/conv2d_1/vars/0"])
    assert [(name, len(each)) for name, each in read_weights(path)] == [("a", 2), ("b", 2)]


def test_weights_that_are_not_what_the_layers_need_are_refused(tmp_path):
    graph = graph_of_file(write(tmp_path / "x.keras", GOOD))

    def read(arrays: dict[str, np.ndarray]) -> None:
        path = write(tmp_path / "y.keras", GOOD, arrays)
        read_arrays(path, graph.places, graph.weight_shapes())

    first = "layers/conv2d/vars/0"
    with pytest.raises(RunError, match=r"weights of a have the shape \(2, 2\), not \(3, 3, 3, 4\)"):
        read(arrays_of(**{first: np.zeros((2, 2), "f4")}))
    with pytest.raises(RunError, match="weights of a are not plain numbers"):
        read(arrays_of(**{first: np.zeros((3, 3, 3, 4), "i4")}))
    with pytest.raises(RunError, match="lacks the weights of a"):
        read({place: one for place, one in arrays_of().items() if place != first})
    with pytest.raises(RunError, match="lacks the weights of a"):
        read(arrays_of(**{first: h5py.ExternalLink("/etc/passwd", "/x")}))
    with pytest.raises(RunError, match="lacks the weights of a"):
        read(arrays_of(**{first: h5py.SoftLink("/layers/conv2d_1/vars/0")}))
    with zipfile.ZipFile(tmp_path / "y.keras", "w") as archive:
        archive.writestr("model.weights.h5", b"not HDF5" * 1000)
    with pytest.raises(RunError, match="cannot be read"):
        read_arrays(tmp_path / "y.keras", graph.places, graph.weight_shapes())


def test_an_array_that_claims_more_than_is_there_is_not_made(tmp_path):
    wide = model(conv("b", "in", filters=20_000, kernel_size=[90, 90]))
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_dataset("layers/conv2d/vars/0", (90, 90, 3, 20_000), "f4", chunks=(90, 90, 3, 1))
        file["layers/conv2d/vars/1"] = np.zeros(20_000, "f4")
    path = tmp_path / "x.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(wide))
        archive.writestr("model.weights.h5", weights.getvalue())
    graph = graph_of_file(path)
    with pytest.raises(RunError, match=r"holds [\d,]+ bytes of weights for [\d,]+ parameters"):
        read_arrays(path, graph.places, graph.weight_shapes())


def test_operations_constants_and_inactive_layers(tmp_path):
    def operation(kind: str, name: str, source: str, number: float) -> dict[str, Any]:
        made = {**entry(kind, name, source), "module": "keras.src.ops.numpy", "registered_name": kind}
        made["inbound_nodes"][0]["args"].append(number)
        return made

    config = model(
        entry("Normalization", "n", "in", axis=[-1], invert=False, mean=None, variance=None),
        operation("Add", "plus", "n", 3.0),
        operation("Multiply", "times", "plus", 0.5),
        entry("Dropout", "d", "times", rate=0.5, seed=None, noise_shape=[None, 1, 1, 1]),
        conv("b", "d", activation="hard_swish"),
    )
    constants = {
        "layers/normalization/vars/0": np.array([1, 2, 3], "f4"),
        "layers/normalization/vars/1": np.array([4, 16, 1], "f4"),
    }
    graph = graph_of_file(write(tmp_path / "x.keras", config, constants))
    layers = {node.name: node.layer for node in graph.nodes}
    assert (layers["n"].scale, layers["n"].offset) == ((0.5, 0.25, 1.0), (-0.5, -0.5, -3.0))
    assert (layers["plus"].scale, layers["plus"].offset, layers["times"].scale) == (1.0, 3.0, 0.5)
    assert layers["d"].acts_in_training_only
    assert layers["b"].activation == "hard_silu"
    assert graph.scaling == NONE  # it scales by itself
    assert graph_of_file(write(tmp_path / "y.keras", GOOD)).scaling is None
    with pytest.raises(RunError, match="lacks the mean and variance"):
        graph_of_file(write(tmp_path / "z.keras", config))


def test_what_the_output_does_not_need_is_left_out(tmp_path):
    graph = graph_of_file(write(tmp_path / "x.keras", model(conv("a", "in"), conv("side", "a"), conv("b", "a"))))
    assert [node.name for node in graph.nodes] == ["a", "b"]
    assert graph.places["b"] == "layers/conv2d_2"

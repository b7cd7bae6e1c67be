"""Every form of a run, judged from outside: by plain calls of its runtime and figures computed anew."""

import json
import os
import resource
import shutil

import numpy as np
import pytest

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.errors import EXIT_RUN, DiskError, RunError, UsageError
from cnnctl.exporting import export as module
from cnnctl.exporting.export import ExportRequest, export
from cnnctl.exporting.formats import FLOAT16, INT8, LITERT, ONNX, OPENVINO, SAVEDMODEL
from cnnctl.exporting.parity import CALIBRATION_IMAGES, calibration_paths
from cnnctl.exporting.writers import write_openvino
from cnnctl.inference.model import load_classifier, metadata
from cnnctl.runs import Run
from cnnctl.system import files
from tests.exporting.build import EVERY_FORM, ITEMS, answers, hand_made, images_of, metadata_of
from tests.inference.build import paint
from tests.training.build import Listener, network

DIGITS = tuple("0123456789")
SPEC = ImageSpec(8, 8, 1)
LIMITS = {None: 1e-3, FLOAT16: 1e-2, INT8: 1.0}

each_form = pytest.mark.parametrize(
    ("form", "quantization"), EVERY_FORM, ids=[f"{form.name} {quantization}" for form, quantization in EVERY_FORM]
)


@each_form
def test_the_file_answers_as_the_run_does(form, quantization, exported, digits_run):
    made = exported[form, quantization]
    images, labels = images_of(digits_run.run, "validation", SPEC)
    ours = load_classifier(Run(digits_run.run)).probabilities(images)
    theirs = answers(made.path, form, images)
    assert theirs.dtype == np.float32
    assert theirs.shape == (len(images), 10)
    np.testing.assert_allclose(theirs.sum(axis=1), 1, atol=0.03 if quantization == INT8 else 1e-3)
    difference = np.abs(ours - theirs).max()
    assert difference <= LIMITS[quantization]
    truth = np.array([DIGITS.index(label) for label in labels])
    right_before, right = ((one.argmax(axis=1) == truth).mean() for one in (ours, theirs))
    assert right_before > 0.5  # the network has learned, so that agreeing says something
    parity = made.parity
    assert (parity.split, parity.images) == ("validation", len(images))
    assert parity.largest_difference == pytest.approx(difference, abs=1e-4)
    assert parity.accuracy == pytest.approx(right)
    assert parity.reference_accuracy == pytest.approx(right_before)
    assert parity.equal_answers == pytest.approx((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean())
    assert parity.reference == ("model.keras" if (form, quantization) == (ONNX, None) else "model.onnx")


@each_form
def test_the_file_and_the_json_beside_it_say_how_to_use_it(form, quantization, exported):
    made = exported[form, quantization]
    said = json.loads(made.path.with_name(f"{made.path.name}.json").read_text())
    assert said == made.content
    takes_one = form == LITERT
    assert said["input"]["shape"] == [1 if takes_one else None, 8, 8, 1]
    assert said["output"]["shape"] == [1 if takes_one else None, 10]
    assert said["output"]["activation"] == "softmax"
    expected = {
        "file": f"{quantization}{form.ending}",
        "format": form.name,
        "quantization": quantization,
        "run": "digits 1",
        "classes": list(DIGITS),
        "bytes": made.size,
    }
    assert said == {**said, **expected}
    for key in ("height", "width", "channels", "fit"):
        assert said["input"][key] == getattr(SPEC, key)
    assert (said["input"]["background"], said["input"]["colours"]) == ([0, 0, 0], "grey")
    parity = said["parity"]
    assert parity["largest_difference"] == made.parity.largest_difference
    assert parity["accuracy_change"] == parity["accuracy"] - parity["reference_accuracy"]
    if quantization == INT8:
        assert parity["limits"]["largest_difference"] is None
        assert -0.03 < parity["limits"]["accuracy_change"] < -0.01
    else:
        assert parity["limits"]["largest_difference"] == LIMITS[quantization]
    assert metadata_of(made.path, form) == metadata(SPEC, DIGITS)


def test_fewer_bits_take_fewer_bytes(exported):
    for form in (ONNX, LITERT, OPENVINO):
        whole, half, quarter = (weights_of(exported[form, quantization].path) for quantization in (None, FLOAT16, INT8))
        assert 0.45 < half / whole < 0.6
        assert 0.2 < quarter / whole < 0.35
    folder = exported[SAVEDMODEL, None]
    assert folder.size == sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file()) > 500_000


def weights_of(path):
    """Bytes of the file with the weights."""
    return (path / "model.bin" if path.is_dir() else path).stat().st_size


def test_plain_onnx_is_the_runs_own_file(exported, digits_run):
    assert exported[ONNX, None].path.read_bytes() == (digits_run.run / "model.onnx").read_bytes()


def test_int8_computes_in_integers(exported):
    import onnx
    from ai_edge_litert.interpreter import Interpreter

    graph = onnx.load(str(exported[ONNX, INT8].path)).graph
    weights = {one.name: one for one in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    heavy = [node for node in graph.node if node.op_type in ("Conv", "MatMul", "Gemm")]
    assert len(heavy) == 4
    for node in heavy:
        unpacked = [makers[name] for name in node.input[:2]]
        assert [one.op_type for one in unpacked] == ["DequantizeLinear"] * 2
        kernel = onnx.numpy_helper.to_array(weights[unpacked[1].input[0]])
        assert kernel.dtype == np.int8
        assert np.abs(kernel).max() <= 64  # 7 bits
    import openvino

    compiled = openvino.compile_model(exported[OPENVINO, INT8].path / "model.xml", "CPU")
    computed = [one.get_rt_info() for one in compiled.get_runtime_model().get_ops()]
    kinds = [(one["layerType"].astype(str), one["runtimePrecision"].astype(str)) for one in computed]
    heavy = [precision for kind, precision in kinds if kind in ("Convolution", "FullyConnected")]
    assert heavy == ["u8"] * 4
    interpreter = Interpreter(model_path=str(exported[LITERT, INT8].path))
    large = [one["dtype"] for one in interpreter.get_tensor_details() if np.prod(one["shape"]) >= 256]
    assert large
    assert set(large) <= {np.int8, np.int32}


def test_there_is_nothing_else_in_the_folder(exported):
    folder = exported[ONNX, None].path.parent
    names = {made.path.name for made in exported.values()}
    assert set(os.listdir(folder)) == names | {f"{name}.json" for name in names}


def test_calibration_images_are_those_it_was_trained_on(digits_run):
    run = Run(digits_run.run)
    paths, labels = run.read_split("train")
    chosen = calibration_paths(run)
    assert len(chosen) == len(set(chosen)) == CALIBRATION_IMAGES < len(paths)
    assert {labels[paths.index(path)] for path in chosen} == set(DIGITS)


@pytest.fixture
def spoilt(digits_run, tmp_path):
    """The digits run with a model.keras whose weights are not those of model.onnx."""
    run = Run(tmp_path / "runs" / "digits" / "1")
    shutil.copytree(digits_run.run, run.path)
    import keras

    model = keras.saving.load_model(run.keras_model)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel, bias + np.linspace(0, 0.1, 10)])
    model.save(run.keras_model)
    return run


@pytest.mark.parametrize("form", [ONNX, LITERT, SAVEDMODEL], ids=lambda form: form.name)
def test_another_model_is_not_kept(form, spoilt, tmp_path):
    path = tmp_path / "out" / f"it{form.ending}"
    with pytest.raises(RunError, match=f"the {form.title} model is not kept: on .* differ") as caught:
        export(spoilt, ExportRequest(form, None, path), Listener())
    assert caught.value.exit_code == EXIT_RUN
    assert "0.001 is the limit" in caught.value.message
    assert os.listdir(tmp_path / "out") == []


def test_openvino_that_answers_otherwise_is_not_kept(digits_run, tmp_path, monkeypatch):
    """It is made of model.onnx, which is what it is compared with: so a weight is changed on the way."""
    import onnx

    def write_another(source, *rest):
        model = onnx.load_model_from_string(source)
        bias = next(one for one in model.graph.initializer if list(one.dims) == [10])
        bias.CopyFrom(onnx.numpy_helper.from_array(np.linspace(0, 0.1, 10, dtype=np.float32), bias.name))
        write_openvino(model.SerializeToString(), *rest)

    monkeypatch.setattr(module, "write_openvino", write_another)
    path = tmp_path / "out" / "it"
    with pytest.raises(RunError, match=r"the OpenVINO model is not kept: on .* differ"):
        export(Run(digits_run.run), ExportRequest(OPENVINO, None, path), Listener())
    assert os.listdir(tmp_path / "out") == []


def test_a_network_that_openvino_does_not_know_is_refused(tmp_path):
    import onnx
    from onnx import helper

    shapes = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("given", "answered")]
    node = helper.make_node("Unheard", ["given"], ["answered"], domain="ours")
    graph = helper.make_graph([node], "one", shapes[:1], shapes[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("ours", 1)])
    with pytest.raises(RunError, match=r"OpenVINO cannot compute this network: .*Unheard") as caught:
        write_openvino(model.SerializeToString(), tmp_path / "it", None, iter(()), "{}")
    assert caught.value.hint == "export it to onnx"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("form", [ONNX, LITERT, OPENVINO], ids=lambda form: form.name)
def test_int8_that_was_shown_other_images_is_not_kept(form, digits_run, tmp_path, monkeypatch):
    black = paint(tmp_path / "black.png", 0, 0, 0)
    monkeypatch.setattr(module, "calibration_paths", lambda run: [black])
    path = tmp_path / "out" / f"it{form.ending}"
    with pytest.raises(RunError, match=f"the int8 {form.title} model is not kept") as caught:
        export(Run(digits_run.run), ExportRequest(form, INT8, path), Listener())
    assert caught.value.hint == "--quantize float16 loses less; --max-accuracy-drop POINTS allows int8 more"
    assert os.listdir(tmp_path / "out") == []
    exported = export(Run(digits_run.run), ExportRequest(form, INT8, path, max_drop=100), Listener())
    assert exported.parity.accuracy < exported.parity.reference_accuracy - 0.03
    assert exported.content["parity"]["limits"]["accuracy_change"] == -1


def test_nothing_is_overwritten(exported, digits_run):
    made = exported[ONNX, None]
    before = made.path.read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        export(Run(digits_run.run), ExportRequest(ONNX, None, made.path), Listener())
    assert made.path.read_bytes() == before


@pytest.fixture
def small_files():
    """No file may be larger than 200 kB here, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("form", "quantization"),
    [(ONNX, None), (ONNX, INT8), (LITERT, None), (OPENVINO, None), (OPENVINO, INT8), (SAVEDMODEL, None)],
)
def test_a_full_disk_is_said_and_nothing_left(form, quantization, digits_run, tmp_path, small_files):
    path = tmp_path / f"it{form.ending}"
    with pytest.raises(DiskError) as caught:
        export(Run(digits_run.run), ExportRequest(form, quantization, path), Listener())
    assert caught.value.message == f"{path} cannot be written: File too large"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("form", "quantization"), [(LITERT, INT8), (ONNX, INT8), (OPENVINO, None), (SAVEDMODEL, None)])
def test_a_sigmoid_of_coloured_images(form, quantization, small_photos, tmp_path):
    run = hand_made(tmp_path / "run", small_photos, ("007", "no"), output="sigmoid")
    spec = ImageSpec(11, 12)
    path = tmp_path / f"it{form.ending}"
    made = export(run, ExportRequest(form, quantization, path, max_drop=50 if quantization else None), Listener())
    images, labels = images_of(run.path, "validation", spec)
    (second,) = answers(path, form, images).T
    expected = load_classifier(run).probabilities(images)
    assert expected[:, 1].std() > 0.01  # it tells images apart
    np.testing.assert_allclose(second, expected[:, 1], atol=0.05 if quantization else 1e-5)
    assert made.content["output"]["activation"] == "sigmoid"
    assert made.content["output"]["meaning"] == "the probability of no; that of 007 is 1 minus it"
    assert made.content["output"]["shape"][1] == 1
    assert made.content["input"]["shape"][1:] == [11, 12, 3]
    assert made.content["input"]["colours"] == "RGB"
    right = (second > 0.5) == (np.array(labels) == "no")
    assert made.parity.accuracy == pytest.approx(right.mean())


@pytest.mark.parametrize(("names", "split", "count"), [({"validation": "test"}, "test", 14), ({}, "train", 40)])
def test_without_validation_images_it_takes_others(names, split, count, small_photos, tmp_path):
    run = hand_made(tmp_path / "run", small_photos, ("007", "no"))
    rows = [
        (row["path"], row["label"], names.get(row["split"], "train"))
        for row in run.read_rows(run.split, ("path", "label", "split"))
    ]
    files.write_csv(run.split, ("path", "label", "split"), rows)
    parity = export(run, ExportRequest(ONNX, FLOAT16, tmp_path / "it.onnx"), Listener()).parity
    assert (parity.split, parity.images) == (split, count)


def test_a_run_of_another_network_is_refused(small_photos, tmp_path):
    run = hand_made(tmp_path / "run", small_photos, ("007", "no"))
    model, _ = network(*ITEMS, shape=(11, 12, 3), classes=3)
    model.save(run.keras_model)
    with pytest.raises(RunError, match=r"model\.keras"):
        export(run, ExportRequest(LITERT, None, tmp_path / "it.tflite"), Listener())
    assert sorted(os.listdir(tmp_path)) == ["run"]

"""What model.onnx must be to be used, and what is said of one that cannot."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from cnnctl.config.schema import MAX_IMAGE_SIDE
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.errors import EXIT_RUN, RunError
from cnnctl.inference.model import MOST_SIDE, Classifier, expand, load_classifier, open_session
from cnnctl.runs import Run
from cnnctl.system import files
from tests.inference.build import COLOURS, SPEC, colour_model, colour_run

RED = np.full((1, *SPEC.shape), (200, 10, 20), np.uint8)
IMAGE = {"height": 6, "width": 4, "channels": 3, "fit": "stretch", "background": [0, 0, 0]}


def test_the_file_says_how_images_are_prepared(tmp_path):
    spec = ImageSpec(6, 4, 3, "pad", (1, 2, 255))
    classifier = load_classifier(colour_run(tmp_path, ("no", "1e3", "größer"), spec=spec))
    assert (classifier.classes, classifier.spec) == (("no", "1e3", "größer"), spec)


def test_probabilities_are_the_models(tmp_path):
    chances = load_classifier(colour_run(tmp_path)).probabilities(np.concatenate([RED, RED[..., ::-1], RED]))
    logits = np.array([[20, 1, 2], [2, 1, 20], [20, 1, 2]])
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert chances.dtype == np.float32
    np.testing.assert_allclose(chances, expected, atol=1e-6)


def test_a_sigmoid_is_expanded_and_its_positive_class_is_the_second(tmp_path):
    classifier = load_classifier(colour_run(tmp_path, ("cold", "warm"), units=1))
    warm = 1 / (1 + np.exp(-18))
    np.testing.assert_allclose(classifier.probabilities(RED), [[1 - warm, warm]], atol=1e-6)
    assert expand(np.array([[0.25], [1.0]], np.float32)).tolist() == [[0.75, 0.25], [0, 1]]
    two = np.array([[0.25, 0.75]], np.float32)
    assert expand(two) is two


def test_two_outputs_may_be_two_classes(tmp_path):
    assert load_classifier(colour_run(tmp_path, ("red", "green"), units=2)).probabilities(RED).argmax() == 0


MODELS = [
    (b"", "cannot be used: "),
    (b"garbage" * 100, "cannot be used: "),
    (colour_model()[:200], "cannot be used: "),
    (colour_model(text=None), "has no image settings"),
    (colour_model(text="{"), "has invalid image settings: JSONDecodeError"),
    (colour_model(text="[]"), "has invalid image settings: TypeError"),
    (colour_model(text='{"classes": []}'), "has invalid image settings: KeyError('image')"),
    (colour_model(text=json.dumps({"image": {**IMAGE, "background": [0, 0]}})), "invalid image settings"),
    (colour_model(text=json.dumps({"image": {**IMAGE, "height": "tall"}})), "invalid image settings"),
    (colour_model(ImageSpec(8193, 4)), "takes images of 8193x4x3; the most is 8192x8192x3"),
    (colour_model(ImageSpec(6, 40_000)), "takes images of 6x40000x3; the most is 8192x8192x3"),
    (colour_model(text=json.dumps({"image": {**IMAGE, "height": 7}})), "takes images of [6, 4, 3], but says [7, 4, 3]"),
]


@pytest.mark.parametrize(("content", "message"), MODELS, ids=[message[:30] for _, message in MODELS])
def test_a_wrong_model_is_refused_with_the_reason(content, message, tmp_path):
    run = colour_run(tmp_path)
    files.write_bytes(run.onnx_model, content)
    with pytest.raises(RunError) as caught:
        load_classifier(run)
    assert caught.value.exit_code == EXIT_RUN == 4
    assert caught.value.message.startswith(f"{run.onnx_model} ")
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_its_largest_image_is_that_of_a_config():
    assert MOST_SIDE == MAX_IMAGE_SIDE


def test_probabilities_that_are_no_numbers_are_an_error(tmp_path):
    run = colour_run(tmp_path)
    content = run.onnx_model.read_bytes()
    weight = np.float32(0.1).tobytes()
    files.write_bytes(run.onnx_model, content.replace(weight, np.float32(np.nan).tobytes()))
    assert weight in content
    with pytest.raises(RunError, match=r"model\.onnx gives probabilities that are no numbers"):
        load_classifier(run).probabilities(RED)


NAMES = [
    (["red", "green"], 3, "has 3 outputs, but "),
    (["red", "green", "blue", "infrared"], 3, "has 3 outputs, but "),
    (["red", "green", "blue"], 1, "has 1 outputs, but "),
    (["red"], 1, "is not a list of class names"),
    ([], 3, "is not a list of class names"),
    ({"red": 0, "green": 1, "blue": 2}, 3, "is not a list of class names"),
    (["red", "green", 3], 3, "is not a list of class names"),
]


@pytest.mark.parametrize(("names", "units", "message"), NAMES)
def test_classes_that_do_not_fit_the_model_are_refused(names, units, message, tmp_path):
    run = colour_run(tmp_path, units=units)
    files.write_json(run.classes, names)
    with pytest.raises(RunError) as caught:
        load_classifier(run)
    assert message in caught.value.message
    assert str(run.classes) in caught.value.message


def test_classes_that_are_gone_or_no_json_are_named(tmp_path):
    run = colour_run(tmp_path)
    run.classes.write_text("[red")
    with pytest.raises(RunError, match=r"classes\.json cannot be read: "):
        load_classifier(run)
    run.classes.unlink()
    with pytest.raises(RunError, match=r"has no classes\.json"):
        load_classifier(run)


def test_a_run_without_a_model_says_how_to_make_one(tmp_path):
    with pytest.raises(RunError) as caught:
        load_classifier(Run(tmp_path))
    assert caught.value.message == f"the run {tmp_path} has no model.onnx"
    assert "cnnctl train" in caught.value.hint


def test_a_classifier_is_made_of_plain_parts():
    class Session:
        def get_inputs(self):
            return [type("Input", (), {"name": "anything"})]

        def get_outputs(self):
            return [type("Output", (), {"name": "answer"}), type("Output", (), {"name": "features"})]

        def run(self, names, feed):
            assert (names, list(feed)) == (["answer"], ["anything"])
            return [np.full((len(feed["anything"]), 3), 1 / 3, np.float32)]

    assert Classifier(COLOURS, SPEC, Session(), Path("model.onnx")).probabilities(RED).shape == (1, 3)


UNKNOWN_GROUP = b"\xc3\x3e\xc4\x3e"
"""The start and the end of field 1000 as a group, which every protobuf reader skips."""


def external_model(location: str, inside: str = "initializer") -> bytes:
    """The model of the colours with its weights at `location`, in an initializer or in an attribute of a node."""
    model = onnx.load_from_string(colour_model())
    weights = model.graph.initializer[0]
    length = len(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    if inside == "attribute":
        model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["weights"], value=weights))
        del model.graph.initializer[0]
    return bytes(model.SerializeToString())


@pytest.fixture
def weights_beside(tmp_path, monkeypatch):
    """A run, and wherever a path may lead from it or from the current folder a file of the right weights."""
    run = colour_run(tmp_path / "runs" / "run")
    work = tmp_path / "work"
    work.mkdir()
    for folder in (run.path, run.path.parent, work, tmp_path):
        (folder / "weights.bin").write_bytes((np.eye(3, dtype=np.float32) / 10).tobytes())
    monkeypatch.chdir(work)
    return run


@pytest.mark.parametrize("inside", ["initializer", "attribute"])
@pytest.mark.parametrize("before", [b"", UNKNOWN_GROUP], ids=["plain", "behind a group"])
@pytest.mark.parametrize("location", ["weights.bin", "./weights.bin", "../weights.bin", "a/../weights.bin", "ABSOLUTE"])
def test_weights_in_other_files_are_refused(weights_beside, location, before, inside):
    run = weights_beside
    place = str(run.path / "weights.bin") if location == "ABSOLUTE" else location
    run.onnx_model.write_bytes(before + external_model(place, inside))
    with pytest.raises(RunError, match=r"model\.onnx refers to weights in other files") as caught:
        open_session(run.onnx_model)  # load_classifier would look at its operators first
    assert caught.value.hint == "a model.onnx from cnnctl contains all its weights"


def test_these_weights_would_be_read_if_nobody_refused_them(weights_beside):
    """So that the test above tests the refusal, not a model that is broken anyway."""
    run = weights_beside
    run.onnx_model.write_bytes(UNKNOWN_GROUP + external_model("weights.bin"))
    session = onnxruntime.InferenceSession(str(run.onnx_model), providers=["CPUExecutionProvider"])
    assert session.run(None, {"image": RED})[0].argmax() == 0


def test_weights_that_onnx_saves_in_another_file_are_refused(tmp_path):
    run = colour_run(tmp_path / "run")
    model = onnx.load(str(run.onnx_model))
    weight = onnx.numpy_helper.from_array(np.zeros(1000, np.float32), "weight")
    model.graph.initializer.append(weight)
    onnx.save(model, str(run.onnx_model), save_as_external_data=True, size_threshold=0, location="weights.bin")
    assert (run.path / "weights.bin").stat().st_size >= 4000
    with pytest.raises(RunError, match=r"model\.onnx refers to weights in other files"):
        load_classifier(run)


def test_weights_elsewhere_are_refused_whatever_the_order_of_fields(tmp_path):
    """Protocol buffers may come in any order, and numbers in more bytes than they need."""
    run = colour_run(tmp_path / "run")
    model = onnx.load(str(run.onnx_model))
    del model.graph.initializer[0]
    content = model.SerializeToString()
    location = b"\x12\x05w.bin\x0a\x88\x00location"
    tensor = b"\x70\x81\x00\x6a" + bytes([len(location)]) + location + b"\x42\x07weights\x10\x01\x08\x03\x08\x03"
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    run.onnx_model.write_bytes(content + b"\x3a" + bytes([len(graph)]) + graph)
    with pytest.raises(RunError, match=r"model\.onnx refers to weights in other files"):
        load_classifier(run)


def test_an_unknown_group_alone_does_no_harm(tmp_path):
    run = colour_run(tmp_path / "run")
    run.onnx_model.write_bytes(UNKNOWN_GROUP + run.onnx_model.read_bytes())
    assert load_classifier(run).probabilities(RED).argmax() == 0


def test_metadata_that_is_no_text_is_an_error(tmp_path):
    run = colour_run(tmp_path / "run")
    content = run.onnx_model.read_bytes()
    place = content.index(b'"classes"')
    run.onnx_model.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    with pytest.raises(RunError, match=r"model\.onnx is damaged"):
        load_classifier(run)

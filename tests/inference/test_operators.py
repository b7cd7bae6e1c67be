"""A stranger's model.onnx does only what our exports do: other operators are refused before anything is computed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from cnnctl.errors import EXIT_RUN, RunError
from cnnctl.inference import operators
from cnnctl.inference.model import load_classifier, open_session
from cnnctl.inference.operators import OPERATORS
from cnnctl.runs import Run
from tests.inference.build import SPEC, colour_model, colour_run

RED = np.full((1, *SPEC.shape), (200, 10, 20), np.uint8)
DANGEROUS = ("If", "Loop", "Scan", "SequenceMap", "Optional", "StringNormalizer", "RandomNormal")


def with_node(*nodes: onnx.NodeProto, first: Sequence[onnx.NodeProto] = ()) -> bytes:
    """The model of the colours, with nodes behind or before its own."""
    model = onnx.load_from_string(colour_model())
    kept = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*first, *kept, *nodes])
    return bytes(model.SerializeToString())


def endless_loop() -> onnx.NodeProto:
    """A loop whose condition stays true, without a last turn."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["goes_on"]), helper.make_node("Identity", ["value"], ["passed"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("passed", TensorProto.FLOAT, None),
        ],
    )
    return helper.make_node("Loop", ["", "", "probabilities"], ["again"], body=body)


def constant_loop() -> list[onnx.NodeProto]:
    """One whose input is a constant, which ONNX Runtime could compute while it opens the model."""
    loop = endless_loop()
    loop.input[2] = "weights"
    return [loop]


def refusal(tmp_path: Path, content: bytes) -> RunError:
    run = colour_run(tmp_path / "run")
    run.onnx_model.write_bytes(content)
    with pytest.raises(RunError) as caught:
        load_classifier(run)
    assert caught.value.exit_code == EXIT_RUN
    assert caught.value.message.startswith(f"{run.onnx_model} ")
    return caught.value


@pytest.fixture
def never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime gets no model."""

    def open_it(*arguments: object, **settings: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(onnxruntime, "InferenceSession", open_it)


def test_nothing_in_the_table_computes_for_ever_or_at_random() -> None:
    assert not OPERATORS & set(DANGEROUS)
    assert {node.op_type for node in onnx.load_from_string(colour_model()).graph.node} <= OPERATORS


REFUSED: list[tuple[str, Callable[[], bytes]]] = [
    ("Loop", lambda: with_node(endless_loop())),
    ("Loop", lambda: with_node(first=constant_loop())),
    *(
        (name, lambda name=name: with_node(helper.make_node(name, ["probabilities"], ["made"])))  # type: ignore[misc]
        for name in DANGEROUS
    ),
    ("com.microsoft.Gelu", lambda: with_node(helper.make_node("Gelu", ["means"], ["m"], domain="com.microsoft"))),
    ("evil.Relu", lambda: with_node(helper.make_node("Relu", ["means"], ["m"], domain="evil"))),
    ("\\x1b[2J", lambda: with_node(helper.make_node("\x1b[2J", ["means"], ["m"]))),
    ("without a name", lambda: with_node(helper.make_node("", ["means"], ["m"]))),
]


@pytest.mark.parametrize(("name", "make"), REFUSED, ids=[f"{at} {name}" for at, (name, _) in enumerate(REFUSED)])
@pytest.mark.usefixtures("never_opened")
def test_an_operator_that_ours_do_not_have_is_named(name: str, make: Callable[[], bytes], tmp_path: Path) -> None:
    error = refusal(tmp_path, make())
    assert f" uses the operator {name}, which no model of cnnctl has" in error.message
    assert error.message.isprintable()
    refusal(tmp_path, make())  # a refusal is not remembered as a look that found nothing


@pytest.mark.usefixtures("never_opened")
def test_a_graph_inside_an_operator_and_functions_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["means"], ["m"], body=endless_loop().attribute[0].g)
    assert " has a graph inside the operator Relu" in refusal(tmp_path, with_node(node)).message
    nodes = helper.make_node("Relu", ["means"], ["m"])
    nodes.attribute.append(helper.make_attribute("bodies", [endless_loop().attribute[0].g]))
    assert " has a graph inside the operator Relu" in refusal(tmp_path, with_node(nodes)).message
    model = onnx.load_from_string(colour_model())
    opsets = [helper.make_opsetid("", 13)]
    model.functions.append(helper.make_function("", "Relu", ["x"], ["y"], [endless_loop()], opsets))
    assert " defines the function Relu of its own" in refusal(tmp_path, bytes(model.SerializeToString())).message


@pytest.mark.usefixtures("never_opened")
def test_an_operator_in_a_second_part_of_the_graph_is_seen(tmp_path: Path) -> None:
    """Parts of a message that come twice are one: ONNX Runtime would see this one too, behind whatever is unknown."""
    group = b"\xc3\x3e\xc4\x3e"
    more = onnx.GraphProto(node=[endless_loop()]).SerializeToString()
    length = bytes([len(more) & 127 | 128, len(more) >> 7])
    assert " uses the operator Loop" in refusal(tmp_path, colour_model() + group + b"\x3a" + length + more).message


@pytest.mark.parametrize("content", [b"garbage" * 100, colour_model()[:200], b"\x0a" * 5000])
@pytest.mark.usefixtures("never_opened")
def test_what_is_no_model_is_refused_before_it_is_opened(content: bytes, tmp_path: Path) -> None:
    assert " cannot be used: " in refusal(tmp_path, content).message


def test_the_format_of_onnx_runtime_which_would_hide_operators_is_not_read(tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    onnxruntime.InferenceSession(colour_model(), options, providers=["CPUExecutionProvider"])
    content = (tmp_path / "model.ort").read_bytes()
    assert onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"image": RED})
    with pytest.raises(RunError, match="cannot be used"):
        open_session(tmp_path / "model.ort", content=content)
    assert " cannot be used" in refusal(tmp_path, content).message


def test_a_model_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(operators, "refuse_foreign_operators", lambda content, path: looked.append(path))
    run = colour_run(tmp_path / "run")
    for _ in range(2):
        assert load_classifier(run).probabilities(RED).argmax() == 0
    assert looked == [run.onnx_model]
    other = Run(tmp_path / "run")
    other.onnx_model.write_bytes(run.onnx_model.read_bytes() + b"\x32\x01x")  # a byte of documentation
    load_classifier(other)
    assert len(looked) == 2

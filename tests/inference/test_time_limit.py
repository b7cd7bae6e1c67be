"""A model that may be anybody's has a limit of time; one that was trained here has none."""

import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from cnnctl.errors import EXIT_CONFIG, RunError, UsageError
from cnnctl.inference.known_models import MADE, fingerprint, remember
from cnnctl.inference.model import load_classifier
from cnnctl.inference.operators import OPERATORS
from cnnctl.inference.stream import classify
from cnnctl.inference.time_limit import SECONDS, VARIABLE, LimitedSession, open_within, seconds_allowed
from cnnctl.runs import Run
from tests.cli.command import fail
from tests.inference.build import SPEC, colour_model, colour_run, paint

RED = np.full((1, *SPEC.shape), (200, 10, 20), np.uint8)


def slow_model(by_image: bool = True, steps: int = 1000, side: int = 1200) -> bytes:
    """The model of the colours with large products that it does not need, tens of milliseconds each.

    They depend on the image, or on nothing, so that ONNX Runtime could compute them while it opens the model.
    """
    model = onnx.load_from_string(colour_model())
    graph = model.graph
    table = numpy_helper.from_array(np.zeros((side, side), np.float32), "table")
    axes = helper.make_node("ReduceMean", ["numbers"], ["brightness"], keepdims=0)
    begin = [axes, helper.make_node("Add", ["table", "brightness"], ["p0"])]
    if not by_image:
        begin = [helper.make_node("Add", ["table", "table"], ["p0"])]
    products = [helper.make_node("MatMul", [f"p{at}", "p0"], [f"p{at + 1}"]) for at in range(steps)]
    end = [
        helper.make_node("ReduceMean", [f"p{steps}"], ["mean"], keepdims=0),
        helper.make_node("Clip", ["mean", "zero", "zero"], ["nothing"]),
        helper.make_node("Add", ["probabilities", "nothing"], ["sum"]),
    ]
    graph.initializer.extend([table, numpy_helper.from_array(np.zeros((), np.float32), "zero")])
    graph.node.extend([*begin, *products, *end])
    graph.output[0].name = "sum"
    onnx.checker.check_model(model)
    assert {node.op_type for node in graph.node} <= OPERATORS
    return bytes(model.SerializeToString())


def slow_run(folder: Path, by_image: bool = True) -> Run:
    run = colour_run(folder)
    run.onnx_model.write_bytes(slow_model(by_image))
    return run


def how_it_ended(work: threading.Thread | None) -> str:
    """The error that ended work that nobody waited for."""
    assert work is not None
    work.join()
    return str(work.error)  # type: ignore[attr-defined]


def test_a_model_that_computes_for_long_is_an_error_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = slow_run(tmp_path / "run")
    monkeypatch.setenv(VARIABLE, "1")
    classifier = load_classifier(run, threads=1)
    for _ in range(2):
        with pytest.raises(RunError, match=r"model\.onnx needs more than 1 s") as caught:
            classifier.probabilities(RED)
        assert VARIABLE in str(caught.value.hint)
        assert "terminate" in how_it_ended(classifier.session._left)  # between two operators, not after all


def test_what_follows_from_the_weights_alone_is_computed_within_the_limit_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "0.5")
    classifier = load_classifier(slow_run(tmp_path / "run", by_image=False), threads=1)
    with pytest.raises(RunError, match=r"needs more than 0\.5 s"):
        classifier.probabilities(RED)
    assert "terminate" in how_it_ended(classifier.session._left)


def test_a_model_that_takes_long_to_be_opened_is_asked_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0.1")
    stopped = threading.Event()
    with pytest.raises(RunError, match=r"needs more than 0\.1 s"):
        open_within(stopped.wait, Path("model.onnx"), stopped.set)
    assert stopped.is_set()


def test_many_images_end_as_soon_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = slow_run(tmp_path / "run")
    monkeypatch.setenv(VARIABLE, "1")
    paths = [paint(tmp_path / "red.png", 200, 10, 20)] * 1000
    asked = []
    plain = LimitedSession.run
    monkeypatch.setattr(LimitedSession, "run", lambda *given: asked.append(given) or plain(*given))
    with pytest.raises(RunError, match=r"needs more than 1 s"):
        list(classify(load_classifier(run, threads=1), paths, batch_size=1))
    assert 1 <= len(asked) < 500  # those that were under way, of which each core has a few


class Stuck:
    """A session that does not heed being told to stop."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.asked = 0

    def run(self, names: object, feed: object, options: object) -> list[int]:
        self.asked += 1
        self.goes_on.wait()
        return [self.asked]


def test_a_model_that_hangs_is_not_asked_again_before_it_has_ended() -> None:
    session = Stuck()
    limited = LimitedSession(session, Path("model.onnx"), 0.05)
    for _ in range(3):
        with pytest.raises(RunError, match=r"needs more than 0\.05 s"):
            limited.run(None, {})
    assert session.asked == 1
    session.goes_on.set()
    assert how_it_ended(limited._left) == "None"
    assert limited.run(None, {}) == [2]


def test_what_a_model_raises_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        open_within(broken, Path("model.onnx"), lambda: None)


def test_a_model_that_was_trained_here_has_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = colour_run(tmp_path / "run")
    assert isinstance(load_classifier(run).session, LimitedSession)
    remember(fingerprint(run.onnx_model.read_bytes()), MADE)
    assert not isinstance(load_classifier(run).session, LimitedSession)
    assert load_classifier(run).probabilities(RED).argmax() == 0


def test_the_limit_is_a_minute_or_what_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert seconds_allowed() == SECONDS == 60
    monkeypatch.setenv(VARIABLE, "600")
    assert seconds_allowed() == 600
    for wrong in ("0", "-1", "soon", "nan", "inf", "1e300"):
        monkeypatch.setenv(VARIABLE, wrong)
        with pytest.raises(UsageError, match=f"{VARIABLE} is a number of seconds above 0; received: {wrong}"):
            seconds_allowed()


def test_the_command_says_so_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = slow_run(tmp_path / "slow")
    image = paint(tmp_path / "red.png", 200, 10, 20)
    monkeypatch.setenv(VARIABLE, "1")
    said = fail(4, "predict", image, "--run", str(run.path), cwd=tmp_path)
    assert "model.onnx needs more than 1 s, the most for a model" in said
    monkeypatch.setenv(VARIABLE, "soon")
    assert VARIABLE in fail(EXIT_CONFIG, "predict", image, "--run", str(run.path), cwd=tmp_path)

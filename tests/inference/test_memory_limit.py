"""A model that may be anybody's computes in a bounded memory; one that was trained here in all there is."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, helper, numpy_helper

from cnnctl.errors import EXIT_RUN, RunError, UsageError
from cnnctl.inference.known_models import MADE, fingerprint, remember
from cnnctl.inference.memory_limit import SHARE, VARIABLE, bytes_allowed, refuse_too_large
from cnnctl.inference.model import load_classifier
from cnnctl.inference.operators import OPERATORS
from cnnctl.runs import Run
from cnnctl.system.memory import machine_memory
from tests.inference.build import SPEC, colour_model, colour_run, paint

RED = np.full((1, *SPEC.shape), (200, 10, 20), np.uint8)
STARTER = """\
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
MEGABYTES = 200
"""Of the tensor that each of these models makes beside its answer."""


def by_expansion(mega: int) -> list[NodeProto]:
    """What follows from the image alone."""
    return [helper.make_node("Expand", ["brightness", "shape"], ["large"])]


def by_weights(mega: int) -> list[NodeProto]:
    """What ONNX Runtime would compute while it opens the model, and keep."""
    made = [
        helper.make_node("Expand", ["half", "shape"], ["ones"]),
        helper.make_node("Mul", ["ones", "half"], ["many"]),
    ]
    return [*made, helper.make_node("Mul", ["many", "brightness"], ["large"])]


def by_shape(mega: int) -> list[NodeProto]:
    return [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("Add", ["zeros", "brightness"], ["large"]),
    ]


def by_padding(mega: int) -> list[NodeProto]:
    return [
        helper.make_node("Reshape", ["brightness", "row"], ["line"]),
        helper.make_node("Pad", ["line", "sides"], ["large"]),
    ]


def by_doubling(mega: int) -> list[NodeProto]:
    begin = helper.make_node("Reshape", ["brightness", "row"], ["c0"])
    times = (mega * 10**6 // 4).bit_length()
    doubled = [helper.make_node("Concat", [f"c{at}", f"c{at}"], [f"c{at + 1}"], axis=1) for at in range(times)]
    doubled[-1].output[0] = "large"
    return [begin, *doubled]


KINDS: tuple[Callable[[int], list[NodeProto]], ...] = (by_expansion, by_weights, by_shape, by_padding, by_doubling)


def large_model(make: Callable[[int], list[NodeProto]], mega: int = MEGABYTES) -> bytes:
    """The model of the colours that makes a large tensor as well, which does not change its answer."""
    model = onnx.load_from_string(colour_model())
    values = mega * 10**6 // 4
    numbers = {"shape": [values // 1000, 1000], "row": [1, 1], "sides": [0, 0, 0, values]}
    arrays = {name: np.array(one, np.int64) for name, one in numbers.items()}
    arrays |= {"half": np.array(0.5, np.float32), "zero": np.array(0, np.float32)}
    model.graph.initializer.extend(numpy_helper.from_array(one, name) for name, one in arrays.items())
    model.graph.node.extend(
        [
            helper.make_node("ReduceMean", ["numbers"], ["brightness"], keepdims=0),
            *make(mega),
            helper.make_node("ReduceMean", ["large"], ["mean"], keepdims=0),
            helper.make_node("Clip", ["mean", "zero", "zero"], ["nothing"]),
            helper.make_node("Add", ["probabilities", "nothing"], ["sum"]),
        ]
    )
    model.graph.output[0].name = "sum"
    onnx.checker.check_model(model)
    assert {node.op_type for node in model.graph.node} <= OPERATORS
    return bytes(model.SerializeToString())


def large_run(folder: Path, make: Callable[[int], list[NodeProto]], mega: int = MEGABYTES) -> Run:
    run = colour_run(folder)
    run.onnx_model.write_bytes(large_model(make, mega))
    return run


@pytest.mark.parametrize("make", KINDS)
def test_a_model_that_takes_much_memory_is_an_error(
    make: Callable[[int], list[NodeProto]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = large_run(tmp_path / "run", make)
    monkeypatch.setenv(VARIABLE, "0.1")
    with pytest.raises(RunError, match=r"model\.onnx needs more than 0\.1 GB of memory") as caught:
        load_classifier(run, threads=1).probabilities(RED)
    assert caught.value.exit_code == EXIT_RUN
    assert VARIABLE in str(caught.value.hint)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells how much memory was taken at most")
def test_what_follows_from_the_weights_is_not_kept_beside_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = large_run(tmp_path / "run", by_weights)
    monkeypatch.setenv(VARIABLE, "0.1")
    load_classifier(colour_run(tmp_path / "other"), threads=1)  # whatever is imported
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    load_classifier(run, threads=1)
    assert peak() - before < MEGABYTES * 10**6 / 4


def peak() -> int:
    """The largest physical memory of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def test_a_model_within_the_limit_goes_on_after_another_one_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = large_run(tmp_path / "run", by_expansion), colour_run(tmp_path / "other")
    classifier = load_classifier(other, threads=1)
    monkeypatch.setenv(VARIABLE, "0.1")
    with pytest.raises(RunError, match="GB of memory"):
        load_classifier(run, threads=1).probabilities(RED)
    assert classifier.probabilities(RED).argmax() == 0
    monkeypatch.setenv(VARIABLE, "1")
    assert load_classifier(run, threads=1).probabilities(RED).argmax() == 0


def test_a_model_that_was_trained_here_has_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = large_run(tmp_path / "run", by_expansion)
    monkeypatch.setenv(VARIABLE, "0.1")
    remember(fingerprint(run.onnx_model.read_bytes()), MADE)
    assert load_classifier(run, threads=1).probabilities(RED).argmax() == 0


def test_the_limit_is_half_of_the_memory_or_what_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert bytes_allowed() == int((machine_memory() or 0) * SHARE)
    monkeypatch.setattr("cnnctl.inference.memory_limit.machine_memory", lambda: None)
    assert bytes_allowed() == 4 * 10**9
    monkeypatch.setenv(VARIABLE, "2.5")
    assert bytes_allowed() == 2.5e9
    for wrong in ("0", "-1", "much", "nan", "inf", "1e300"):
        monkeypatch.setenv(VARIABLE, wrong)
        with pytest.raises(UsageError, match=f"{VARIABLE} is a number of gigabytes above 0; received: {wrong}"):
            bytes_allowed()


@pytest.mark.parametrize(
    "said", ["Available memory of 5 is smaller than", "std::bad_alloc", "Failed to allocate memory"]
)
def test_only_what_says_so_is_taken_for_a_lack_of_memory(said: str) -> None:
    with pytest.raises(RunError, match="GB of memory"):
        refuse_too_large(RuntimeError(f"[ONNXRuntimeError] : 1 : {said}"), Path("model.onnx"))
    refuse_too_large(RuntimeError("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : a shape"), Path("model.onnx"))


def test_the_command_says_so_and_has_taken_little(tmp_path: Path) -> None:
    run = large_run(tmp_path / "run", by_expansion, 4000)
    command = [sys.executable, "-m", "cnnctl", "predict", paint(tmp_path / "a.png", 1, 2, 3), "--run", str(run.path)]
    # started by a small process: a large one would hand on its own peak
    starter = [sys.executable, "-S", "-c", STARTER, *command]
    done = subprocess.run(starter, capture_output=True, text=True, env={**os.environ, VARIABLE: "0.2"}, check=False)
    code, used = done.stdout.split()
    assert int(code) == EXIT_RUN
    assert "model.onnx needs more than 0.2 GB of memory" in done.stderr
    assert int(used) * 1024 < 1e9

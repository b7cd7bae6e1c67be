"""`cnnctl train --resume` after signals and kills, through the real command."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

from tests.cli.command import begin, cnnctl, fail, succeed
from tests.conftest import CONFIGS, Trained
from tests.forks import Fork, python

TRAIN = ["train", str(CONFIGS / "digits.yaml"), "--set", "train.epochs=3", "--output", "my run"]
SMALL_DISK = """\
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))
from cnnctl.__main__ import main
main()
"""
SAME = ("history.csv", "split.csv", "metrics.json", "predictions.csv", "unknown.json")


def end(process: "Fork | subprocess.Popen[str]", number: signal.Signals) -> str:
    """What it says after a signal."""
    process.send_signal(number)
    return process.communicate(timeout=60)[1]


def test_terminated_killed_and_gone_on_with_it_is_the_same_run(digits_run: Trained, tmp_path: Path) -> None:
    process, _ = begin(TRAIN, tmp_path, "  1/3 ")
    process.send_signal(signal.SIGSTOP)
    busy = fail(7, *TRAIN, "--resume", cwd=tmp_path)
    process.send_signal(signal.SIGCONT)
    assert re.search(rf"error: my run is in use by another cnnctl \(process {process.pid}\)", busy)
    asked = time.monotonic()
    said = end(process, signal.SIGTERM)
    assert process.returncode == 143
    assert time.monotonic() - asked < 10
    assert "terminated: stopping after this step" in said
    assert re.search(r"error: interrupted in epoch \d of 3, which will be repeated; the weights of epoch \d, ", said)
    (line,) = re.findall(r"hint: resume with: cnnctl (train .*)", said)
    assert shlex.split(line) == ["train", "--resume", "my run"]

    process, lines = begin(shlex.split(line), tmp_path, "/3 ")
    assert any("resuming after epoch " in said for said in lines)
    end(process, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / "my run" / ".lock").exists()

    succeed(*shlex.split(line), cwd=tmp_path)
    run = tmp_path / "my run"
    for name in SAME:
        assert (run / name).read_bytes() == (digits_run.run / name).read_bytes(), name
    assert not [name for name in os.listdir(run) if name.startswith(".")]
    again = succeed(*shlex.split(line), cwd=tmp_path)
    assert again.splitlines() == [
        "the run is already complete",
        "",
        "run   my run",
        "next  cnnctl predict IMAGE",
    ]
    printed = json.loads(succeed(*shlex.split(line), "--json", cwd=tmp_path))
    assert printed == {"run": "my run", "metrics": json.loads((run / "metrics.json").read_text())}


def test_a_training_outlives_whoever_reads_it(digits_run: Trained, tmp_path: Path) -> None:
    process, _ = begin(TRAIN, tmp_path, "loading TensorFlow")
    assert process.stderr is not None
    assert process.stdout is not None
    process.stderr.close()
    with process.stdout:
        assert "next  cnnctl predict IMAGE" in process.stdout.read()
    assert process.wait() == 0
    assert (tmp_path / "my run" / "metrics.json").read_bytes() == (digits_run.run / "metrics.json").read_bytes()


def test_ctrl_c_before_the_first_epoch_and_while_loading(tmp_path: Path) -> None:
    process, _ = begin(TRAIN, tmp_path, "loading TensorFlow", fresh=True)
    said = end(process, signal.SIGINT)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted"
    assert not (tmp_path / "my run").exists()


def test_a_file_that_does_not_fit_is_named_and_the_rest_is_kept(digits_run: Trained, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the network fits, its checkpoint does not."""
    done = python(["-c", SMALL_DISK, *TRAIN], tmp_path)
    assert done.returncode == 5, done.stderr.decode()
    told = done.stderr.decode()
    checkpoint = Path("my run/checkpoints/epoch-0001.npz")
    assert f"error: {checkpoint} cannot be written: File too large" in told
    assert "then resume with: cnnctl train " in told
    assert "Traceback" not in told
    assert os.listdir(tmp_path / "my run" / "checkpoints") == ["digests.bin"]
    succeed(*TRAIN, "--resume", cwd=tmp_path)
    for name in SAME:
        assert (tmp_path / "my run" / name).read_bytes() == (digits_run.run / name).read_bytes(), name


def test_resume_needs_a_run(tmp_path: Path) -> None:
    said = fail(2, "train", CONFIGS / "digits.yaml", "--resume", cwd=tmp_path)
    assert "error: --resume needs --output, the run to resume" in said


def test_the_other_config_is_named(digits_run: Trained, tmp_path: Path) -> None:
    other = ["train", CONFIGS / "digits.yaml", "--output", digits_run.run, "--resume", "--set", "train.batch_size=7"]
    done = cnnctl(*other, cwd=tmp_path)
    assert done.returncode == 2
    assert "  train.batch_size: 32 there, 7 here\n" in done.stderr

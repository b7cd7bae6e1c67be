"""`cnnctl sweep` with real trainings: a worker is killed, and the same command goes on."""

import csv
import json
import signal
import time
from pathlib import Path

from cnnctl.config import load
from tests.cli.command import begin, cnnctl, fail, succeed
from tests.docs.test_commands import section

CONFIG = """\
name: tiny
data: {train: digits, validation: 0.3, test: 0.4, image: {size: 8, channels: 1}}
model: [flatten, dense: {units: 8, activation: relu}]
train: {epochs: 40, batch_size: 64, device: cpu}
"""
SWEEP = """\
config: tiny.yaml
trials: 2
heartbeat: 1
space:
  train.optimizer.adam.learning_rate: {from: 1.0e-3, to: 1.0e-1, log: true}
"""


def test_a_killed_sweep_goes_on_and_its_trials_are_runs(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    words = ["sweep", "sweep.yaml", "--output", "out"]
    worker, lines = begin(words, tmp_path, "trial 0000: val_accuracy")
    begun = tmp_path / "out" / "trials" / "0001" / "history.csv"
    while not begun.exists():
        time.sleep(0.02)
        assert worker.poll() is None
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    assert "; 1 of 2 done, about " in lines[-1]

    done = cnnctl(*words, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    said = section("sweep")
    for key in (*result, *result["best"]):
        assert f"`{key}`" in said, key
    assert (result["complete"], result["failed"], len(result["trials"])) == (2, 0, 2)
    assert len(result["pictures"]) == 3
    assert result["best"]["value"] == max(one["value"] for one in result["trials"])

    environment = json.loads((tmp_path / "out" / "trials" / "0001" / "environment.json").read_text())
    assert environment["resumed_after_epoch"] >= 1, "it did not go on where it was"
    with (tmp_path / "out" / "trials" / "0001" / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    value = float(rows[environment["best_epoch"] - 1]["val_accuracy"])
    assert value == next(one["value"] for one in result["trials"] if one["number"] == 1)

    best = load(tmp_path / "out" / "best.yaml")
    assert best.train.optimizer.learning_rate == result["best"]["values"]["train.optimizer.adam.learning_rate"]
    assert (tmp_path / "runs" / "latest").resolve() == Path(result["best"]["run"])
    assert load(Path(result["best"]["run"]) / "config.yaml") == best
    listed = json.loads(succeed("runs", "out", "--json", cwd=tmp_path))
    assert {one["status"] for one in listed["runs"]} == {"complete"}

    shown = succeed(*words, cwd=tmp_path)
    assert "2 complete" in shown
    assert "the best of 2 on the same images flatters itself" in " ".join(shown.split())


def test_what_is_wrong_is_told_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    (tmp_path / "sweep.yaml").write_text(SWEEP.replace("adam", "adm"))
    said = fail(2, "sweep", "sweep.yaml", "--output", "out", cwd=tmp_path)
    assert said.startswith("sweep.yaml:5:3: train.optimizer")
    assert "there is no optimizer called adm" in said
    assert not (tmp_path / "out").exists()

"""A sweep of real trainings by two workers that are killed at random moments."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

CONFIG = """\
name: digits
data: {train: digits, validation: 0.3, test: 0.4, image: {size: 8, channels: 1}}
model:
  - conv2d: {filters: 8, kernel_size: 3, activation: relu}
  - flatten
train: {epochs: 6, batch_size: 64, device: cpu}
"""
SWEEP = """\
config: digits.yaml
trials: TRIALS
heartbeat: 2
prune: {median: {startup_trials: 5, warmup_epochs: 2}}
space:
  train.optimizer.adam.learning_rate: {from: 1.0e-4, to: 1.0e-1, log: true}
  train.batch_size: [32, 64, 128]
  model[0].conv2d.filters: {from: 4, to: 16, step: 4}
"""
_KILLS = 5
_LONGEST = 24 * 3600.0


def sweeps(folder: Path, whole: str, seconds: float) -> tuple[int, int]:
    """Five kills at random moments of a sweep: all trials end, none is lost, none is counted twice."""
    wanted = int(os.environ.get("TRIALS") or 40)
    (folder / "digits.yaml").write_text(CONFIG)
    (folder / "sweep.yaml").write_text(SWEEP.replace("TRIALS", str(wanted)))
    output = folder / "sweep"
    chance = random.Random(0)
    workers = [_start(folder), _start(folder)]
    kills = sorted(chance.sample(range(1, wanted), _KILLS))  # when so many trials are begun
    for number in kills:
        _wait_for(output, number)
        time.sleep(chance.uniform(0, seconds or 10))
        killed = workers.pop(chance.randrange(2))
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        workers.append(_start(folder))
        print(f"sweeps: killed a worker after {number} trials were begun", flush=True)
    ended = [worker.communicate(timeout=_LONGEST) for worker in workers]
    codes = [worker.returncode for worker in workers]
    if codes != [0, 0]:
        print(f"sweeps: exit codes {codes}\n{ended[0][1]}\n{ended[1][1]}")
        return _KILLS, _KILLS
    return _KILLS, _judge(output, wanted, [json.loads(out) for out, _ in ended])


def _start(folder: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "cnnctl", "sweep", "sweep.yaml", "--output", "sweep", "--json"]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_for(output: Path, number: int) -> None:
    trials = output / "trials"
    while not trials.is_dir() or len(list(trials.iterdir())) < number:
        time.sleep(0.1)


def _judge(output: Path, wanted: int, results: list[dict[str, object]]) -> int:
    """How much is not as it should be; each is told."""
    from cnnctl.config import load
    from cnnctl.runs.listing import COMPLETE, list_runs

    result = results[0]
    trials: list[dict[str, object]] = result["trials"]  # type: ignore[assignment]
    with sqlite3.connect(output / "trials.db") as database:
        rows = database.execute(
            "SELECT state, value, number FROM trials LEFT JOIN trial_values USING (trial_id) WHERE state != 'FAIL'"
        ).fetchall()
    stored = sorted(value for state, value, _ in rows if state == "COMPLETE")
    told = sorted(one["value"] for one in trials if one["state"] == "complete")  # type: ignore[type-var]
    complete = {one.run.path.name for one in list_runs(output / "trials") if one.status == COMPLETE}
    best = load(output / "best.yaml")
    chosen: dict[str, object] = result["best"]["values"]  # type: ignore[index]
    found = {
        "both workers say the same": results[0] == results[1],
        "all trials ended": len(trials) == wanted and result["failed"] == 0,
        "no trial is there twice": len({one["number"] for one in trials}) == wanted and len(rows) == wanted,
        "the storage has the same values": stored == told,
        "complete trials are complete runs": complete
        == {f"{one['number']:04}" for one in trials if one["state"] == "complete"},
        "the best is the storage's": result["best"]["value"] == max(stored),  # type: ignore[index]
        "best.yaml has its values": chosen["train.batch_size"] == best.train.batch_size
        and chosen["train.optimizer.adam.learning_rate"] == best.train.optimizer.learning_rate,
    }
    for what, holds in found.items():
        if not holds:
            print(f"sweeps: not so: {what}")
    print(f"sweeps: {result['complete']} complete, {result['pruned']} pruned, {result['failed']} failed", flush=True)
    return sum(not holds for holds in found.values())

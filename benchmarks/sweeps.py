"""What a sweep costs beside its trainings: 1,000 trials of an objective that takes no time, by one worker."""

import math
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from cnnctl.config import Config
from cnnctl.runs import Run
from cnnctl.sweeping import sweep as worker
from cnnctl.sweeping.process import Ended
from cnnctl.sweeping.trial import TrialEnd

TRIALS = 1000
EPOCHS = 5
CONFIG = """\
data: {train: digits, validation: 0.3, image: {size: 8, channels: 1}}
model: [flatten, dense: {units: 8}]
"""
SWEEP = """\
config: digits.yaml
trials: TRIALS
sampler: SAMPLER
prune: {median: {startup_trials: 20, warmup_epochs: 1}}
space:
  train.optimizer.adam.learning_rate: {from: 1.0e-4, to: 1.0e-1, log: true}
  train.batch_size: [64, 128, 256]
  model[1].dense.units: {from: 16, to: 64, step: 16}
"""


def section(_: Path) -> str:
    """The section of BENCHMARKS.md."""
    lines = [
        "## Sweeps",
        "",
        f"{TRIALS:,} trials by one worker, SQLite, three keys, {EPOCHS} epochs each, judged by the median pruner.",
        "The objective takes no time, so that this is what a sweep takes beside its trainings and their processes.",
        "Milliseconds a trial: the median of the first and of the last hundred, and the mean of all.",
        "",
        "| sampler | first hundred | last hundred | mean |",
        "| --- | --- | --- | --- |",
    ]
    for sampler in ("tpe",):
        seconds = measure(sampler)
        first, last = median(seconds[:100]), median(seconds[-100:])
        mean = sum(seconds) / len(seconds)
        lines.append(f"| {sampler} | {first * 1000:.0f} | {last * 1000:.0f} | {mean * 1000:.0f} |")
    return "\n".join(lines)


def measure(sampler: str) -> list[float]:
    """Seconds from the end of each trial to that of the next."""
    ends = [time.perf_counter()]
    before = worker.run_trial
    worker.run_trial = _no_time
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "digits.yaml").write_text(CONFIG)
            text = SWEEP.replace("TRIALS", str(TRIALS)).replace("SAMPLER", sampler)
            (folder / "sweep.yaml").write_text(text)

            def told(line: str) -> None:
                if line.startswith("trial "):
                    ends.append(time.perf_counter())

            worker.sweep(folder / "sweep.yaml", folder / "out", ["cnnctl"], told)
    finally:
        worker.run_trial = before
    return [after - earlier for earlier, after in pairwise(ends[1:])]


def _no_time(trial: Any, config: Config, run: Run, metric: str, command: Sequence[str]) -> TrialEnd:
    rate = config.train.optimizer.learning_rate
    value = 0.0
    for epoch in range(1, EPOCHS + 1):
        value = 0.9 - 0.1 * abs(math.log10(rate) + 2.5) - 0.1 / epoch
        trial.report(value, epoch)
        if epoch < EPOCHS and trial.should_prune():
            return TrialEnd(Ended(143, "interrupted"), is_pruned=True)
    return TrialEnd(Ended(0), value)

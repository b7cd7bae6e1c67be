"""`cnnctl.train`."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnctl.api.configs import Source
from cnnctl.api.guests import hosted
from cnnctl.api.runs import TrainedRun
from cnnctl.config.load import load_values
from cnnctl.errors import UsageError
from cnnctl.system.files import absolute
from cnnctl.system.interrupts import caught_in_a_guest
from cnnctl.system.watcher import Watcher
from cnnctl.training.request import TrainRequest, find_resumed, is_recorded
from cnnctl.training.train import Helped
from cnnctl.training.train import train as run_training


def train(
    config: Source,
    overrides: Mapping[str, Any] | None = None,
    *,
    output: str | Path | None = None,
    resume: bool = False,
    strict: bool = False,
    progress: bool | Watcher | None = None,
    devices: int | None = None,
) -> TrainedRun:
    """Train the network of a config on its images and write a run directory, as `cnnctl train` does.

    Ctrl-C, and a notebook's stop button, end it after the current step, the epochs before it kept; a second one ends it
    where it is. In another thread than the main one nothing stops it, but a watcher that raises KeyboardInterrupt.
    While it trains, what libraries write to descriptor 2 goes to the run's log.txt.

    Args:
        config: What `load_config` takes, or what it made; with `resume` a run, which is resumed by its own config.
        overrides: Values by dotted paths, as `load_config` takes them.
        output: The run directory; the next number under runs/NAME in the current folder when left out.
        resume: Resume the run at `output` after its last epoch; begin it if it is new, leave it if it is complete.
        strict: Refuse data with an image in two splits or with images of one colour.
        progress: True prints to stderr what the command prints; or a watcher that is told. When
            left out, a notebook shows a bar, and nothing is printed elsewhere.
        devices: With backend jax, how many devices share each batch; all GPUs, or the processor, when left out.

    Raises:
        ConfigError: with every mistake of the config and of its data.
        UsageError: `output` is no empty folder, or a run of another config.
        DataError: images are missing or unfit, or not those of the run.
        MachineError: a device, a package or disk space is missing, or Keras runs on another backend in this process.
        DivergedError: the loss became NaN or infinite; the best weights before are kept in the run.
        InterruptedTrainingError: by Ctrl-C, once there is a run; the message says what was kept.
        BusyError: this process is training already, or another one works on the run.

    Example: `train("photos.yaml", {"train.epochs": 3}).accuracy`
    """
    begun = time.perf_counter()
    folder = None if output is None else Path(output)
    call = f"cnnctl.train({_shown(config)}{f', {dict(overrides)!r}' if overrides else ''}"
    call += f", devices={devices}" if devices is not None else ""
    is_own = False
    if resume and isinstance(config, str | Path):
        config, folder = find_resumed(Path(config), folder)
        is_own = is_recorded(config, folder)
    if resume and folder is None:
        raise UsageError("resume=True needs output, the run to resume", "add output='runs/NAME/1'")
    if devices is not None and devices < 1:
        raise UsageError(f"devices is a number from 1; received: {devices}", "devices=1")
    loaded = load_values(config, overrides, is_own)
    request = TrainRequest(loaded, folder, resume, strict, (), begun, call, devices=devices)
    with hosted("training", progress) as (watcher, capture), caught_in_a_guest() as interrupts:
        trained = run_training(request, watcher, capture, interrupts)
    assert not isinstance(trained, Helped)  # one process alone
    return TrainedRun(absolute(trained.run.path))


def _shown(config: Source) -> str:
    return repr(str(config)) if isinstance(config, str | Path) else "config"

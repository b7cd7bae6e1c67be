"""What `train` and `sweep` do with --cluster ray."""

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.errors import EXIT_OK

if TYPE_CHECKING:
    from cnnctl.config import Loaded
    from cnnctl.system.stderr import Capture

WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="With --cluster: how many; default: one for each host."),
]
GpusOption = Annotated[
    int, typer.Option("--gpus", metavar="K", min=0, help="With --cluster: GPUs for each of them; 0: processors.")
]


def train_on_cluster(
    loaded: "Loaded",
    config: Path,
    output: Path | None,
    options: Sequence[str],
    workers: int | None,
    gpus: int,
    as_json: bool,
) -> int:
    """Train a config by a process on each host, each with these words as its `options`; the exit code.

    Raises:
        ConfigError: the config has mistakes.
        UsageError: the hosts have no config or run directory in common, or the backend joins no processes.
        MachineError: Ray is missing, or the processes died again and again.
        InterruptedTrainingError: by a signal.
    """
    from cnnctl.cluster.training import Group, train_on_ray
    from cnnctl.config.load import STANDARD_INPUT
    from cnnctl.errors import EXIT_INTERRUPTED, InterruptedTrainingError, UsageError
    from cnnctl.runs import Run
    from cnnctl.system.cluster import Cluster
    from cnnctl.system.files import absolute
    from cnnctl.system.interrupts import caught
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.render import print_json, say_values
    from cnnctl.terminal.training import print_run
    from cnnctl.training.request import usable_cluster

    if output is None or config == STANDARD_INPUT:
        hint = "name a config and --output DIR that all hosts see"
        raise UsageError("--cluster ray needs a config file and --output", hint)
    loaded.need()
    if workers != 1:
        usable_cluster(Cluster(0, workers), loaded, output, is_asked=True)
    run = Run(absolute(output))
    words = ["train", str(absolute(config)), "--output", str(run.path), "--resume", *options]
    try:
        with captured_stderr() as capture, caught(capture.terminal, lambda text: None):
            group = Group([*words, *_loudness()], str(Path.cwd()), run, gpus)
            code = train_on_ray(group, workers, partial(_tell, capture), partial(_note, capture))
    except KeyboardInterrupt as stop:
        again = ["cnnctl", "train", str(config), "--output", str(output), *options, "--cluster", "ray"]
        again += [] if workers is None else ["--workers", str(workers)]
        again += ["--gpus", str(gpus)] if gpus else []
        message = "interrupted; the processes are killed, and the epochs that were over are kept"
        code = getattr(stop, "exit_code", EXIT_INTERRUPTED)
        raise InterruptedTrainingError(message, f"resume with: {shlex.join(again)}", code) from None
    if code == EXIT_OK and as_json:
        print_json({"run": str(output), "metrics": run.read_metrics()})
    elif code == EXIT_OK and not say_values(output):
        print_run(Run(output))
    return code


def sweep_on_cluster(path: Path, output: Path, workers: int | None, gpus: int) -> int:
    """Work on a sweep by processes on the hosts, until all its trials have ended; the exit code.

    Raises:
        ConfigError: the sweep has mistakes.
        MachineError: Ray is missing, or the workers were lost again and again.
    """
    from cnnctl.cluster.sweeping import sweep_on_ray
    from cnnctl.config.sweep import load_sweep
    from cnnctl.system.files import absolute
    from cnnctl.system.interrupts import caught
    from cnnctl.system.stderr import captured_stderr

    load_sweep(path)  # a mistake is told here, once
    words = ["sweep", str(absolute(path)), "--output", str(absolute(output))]
    with captured_stderr() as capture, caught(capture.terminal, lambda text: None):
        tell, note = partial(_tell, capture), partial(_note, capture)
        return sweep_on_ray([*words, *_loudness()], str(Path.cwd()), workers, gpus, tell, note)


def _loudness() -> list[str]:
    """What the processes are told of how much they say; with --quiet their errors alone are left."""
    from cnnctl.system.loudness import is_quiet, is_verbose

    return ["--quiet"] if is_quiet() else ["--verbose"] if is_verbose() else []


def _note(capture: "Capture", line: str) -> None:
    from cnnctl.system.loudness import is_quiet

    if not is_quiet():
        _tell(capture, line)


def _tell(capture: "Capture", line: str) -> None:
    from cnnctl.formatting import printable
    from cnnctl.terminal.render import print_text

    print_text(printable(line), capture.terminal)

"""What a command wants trained."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnctl.config import Config
from cnnctl.runs import Run
from cnnctl.runs.checkpoints import Checkpoint
from cnnctl.training.resume import ResumedRun


@dataclass(frozen=True)
class Task:
    """What a command wants trained.

    Attributes:
        config: The config, its paths absolute.
        output: The run directory; None for the next number under runs/.
        command: The command line, for the record.
        repeat: The words of a command line that trains this config, without --output and --resume.
        begun: time.perf_counter() at the start of the command.
        taken_up: The run to resume, if any.
        call: For a training that Python asked for, its call as far as `output` would follow; it stands for `repeat`.
    """

    config: Config
    output: Path | None
    command: Sequence[str]
    repeat: Sequence[str]
    begun: float
    taken_up: ResumedRun | None = None
    call: str | None = None

    @property
    def begin(self) -> Checkpoint | None:
        """The checkpoint to resume from."""
        return self.taken_up.checkpoint if self.taken_up is not None else None

    def resume_line(self, run: Run) -> str:
        """The command line, or the call, that resumes a run of this task."""
        if self.call is not None:
            return f"{self.call}, output={str(run.path)!r}, resume=True)"
        return shlex.join([*self.repeat, "--output", str(run.path), "--resume"])

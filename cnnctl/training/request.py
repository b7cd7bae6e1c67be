"""What a command wants trained."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnctl.config import Config, Loaded
from cnnctl.runs import Run


@dataclass(frozen=True)
class TrainRequest:
    """A training that is asked for.

    Attributes:
        loaded: The config, with or without mistakes, its paths absolute.
        output: The run directory; None for the next number under runs/.
        resume: Whether to resume the run at `output`.
        strict: See data.prepare.prepare.
        command: The command line, for the record.
        repeat: The words of a command line that trains this config, without --output and --resume.
        begun: time.perf_counter() at the start of the command.
        call: For a training that Python asked for, its call as far as `output` would follow; it stands for `repeat`.
    """

    loaded: Loaded
    output: Path | None
    resume: bool
    strict: bool
    command: Sequence[str]
    repeat: Sequence[str]
    begun: float
    call: str | None = None

    @property
    def config(self) -> Config:
        """The config, if it is right in its vocabulary; see Loaded.need."""
        return self.loaded.need()

    def resume_line(self, run: Run) -> str:
        """The command line, or the call, that resumes a run of this request."""
        if self.call is not None:
            return f"{self.call}, output={str(run.path)!r}, resume=True)"
        return shlex.join([*self.repeat, "--output", str(run.path), "--resume"])

"""`cnnctl.check`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.api.configs import Source
from cnnctl.api.shown import Shown
from cnnctl.checks import Before, Findings
from cnnctl.checks import check as find_out
from cnnctl.config.load import load_values
from cnnctl.errors import ConfigError, Notice, Problem
from cnnctl.system.watcher import Watcher
from cnnctl.terminal.watch import counting, watching


@dataclass(frozen=True, repr=False)
class CheckedConfig(Shown):
    """What `check` finds out about a config and its data. Its text is what the command prints.

    Attributes:
        name: The name of the config.
    """

    name: str
    _found: Findings

    @property
    def is_ready(self) -> bool:
        """Whether `train` can begin."""
        return not self._found.problems

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every mistake; each has its `message`, `path`, `position`, `received`, `hint` and `exit_code`."""
        return tuple(self._found.problems)

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What is allowed and looks wrong; each has its `message`, `hint` and `path`."""
        return tuple(self._found.warnings)

    def to_dict(self) -> dict[str, Any]:
        """What `check --json` prints."""
        from cnnctl.terminal.found import findings_json

        return findings_json(self._found)

    def _show(self) -> None:
        from cnnctl.terminal.found import print_findings

        print_findings(self.name, self._found, as_json=False)

    def __repr__(self) -> str:
        count = len(self.problems)
        state = "ready to train" if self.is_ready else f"{count:,} problem{'' if count == 1 else 's'}"
        return f"<CheckedConfig {self.name}: {state}>"


def check(
    config: Source,
    overrides: Mapping[str, Any] | None = None,
    *,
    output: str | Path | None = None,
    strict: bool = False,
    progress: bool | Watcher | None = None,
) -> CheckedConfig:
    """Find every mistake in a config and in its data, and what the machine lacks, before training.

    Mistakes are not raised: they are in `problems`. The images are decoded, so that `train` finds them in the cache.

    Args:
        config: What `load_config` takes, or what it made.
        overrides: Values by dotted paths, as `load_config` takes them.
        output: The run directory that the training is to write.
        strict: Take an image in two splits, and images of one colour, for mistakes.
        progress: True prints to stderr how far it is; or a watcher that is told. When
            left out, a notebook shows a bar, and nothing is printed elsewhere.

    Raises:
        UsageError: the config cannot be read.

    Example: `[problem.path for problem in check("photos.yaml").problems]`
    """
    name = str(config) if isinstance(config, str | Path) else "the config"
    with watching(progress, sys.stderr) as watcher:
        try:
            loaded = load_values(config, overrides)
        except ConfigError as error:  # no YAML, so that nothing more can be known of it
            return CheckedConfig(name, Findings(problems=list(error.problems)))
        before = Before(None if output is None else Path(output))
        return CheckedConfig(name, find_out(loaded, counting(watcher, "decoding"), strict=strict, before=before))

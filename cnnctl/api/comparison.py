"""`cnnctl.compare`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cnnctl.api.runs import AnyRun, TrainedRun, find
from cnnctl.api.shown import Picture, Shown
from cnnctl.config.difference import Difference
from cnnctl.evaluation import comparison
from cnnctl.evaluation.comparison import PairwiseTest
from cnnctl.system.files import absolute


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Runs side by side. Its text is what `compare` prints."""

    _found: comparison.Comparison

    @property
    def runs(self) -> tuple[TrainedRun, ...]:
        """In the order in which they were named; in the text they are A, B and so on."""
        return tuple(TrainedRun(absolute(one.run.path)) for one in self._found.runs)

    @property
    def best(self) -> TrainedRun:
        """The run of the highest accuracy, or macro F1 where images may have several labels; whether it is
        significantly better, `tests` say.
        """
        return self.runs[self._found.tests[0].best]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What differs in the configs: each has its `path` and the `values` of the runs."""
        return self._found.differences

    @property
    def tests(self) -> tuple[PairwiseTest, ...]:
        """McNemar's test of the best run with each other one: `other`, `p`, `adjusted_p`, `is_significant` ...

        Of several labels an image, a paired bootstrap.
        """
        return self._found.tests

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why some of the figures must not be compared."""
        return self._found.warnings

    def to_dict(self) -> dict[str, Any]:
        """What `compare --json` prints."""
        from cnnctl.terminal.compare import comparison_json

        return comparison_json(self._found)

    def _show(self) -> None:
        from cnnctl.terminal.compare import print_comparison

        print_comparison(self._found)

    def _pictures(self) -> Iterable[Picture]:
        from cnnctl.evaluation.plots.compared import accuracies_figure
        from cnnctl.pictures import style

        with style.drawing():
            yield "accuracies", style.png(accuracies_figure(self._found.runs))

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.runs)} runs: {self.best.path} is the most accurate>"


def compare(runs: Iterable[AnyRun]) -> Comparison:
    """Put two or more runs side by side, and test whether the best one is significantly better.

    Args:
        runs: Runs, each as for `open_run`.

    Raises:
        UsageError: there are fewer than two, or one of them twice.
        RunError: one is missing, was not evaluated, or is damaged.

    Example: `compare(["runs/photos/1", "runs/photos/2"]).tests[0].is_significant`
    """
    return Comparison(comparison.compare([find(run).path for run in runs]))

"""Optuna's own pictures of a sweep, drawn by matplotlib, with what they lack to be read."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.pictures import style
from cnnctl.system import files

if TYPE_CHECKING:
    import optuna

_FOLDER = "pictures"
_NAMES = ("history", "parallel_coordinates", "importances")
_FEWEST = 2
"""Complete trials without which there is nothing to draw."""
_BAR = 0.06
"""How far the bar of colours moves to the right, off the numbers of the last axis."""


def drawn(folder: Path) -> tuple[Path, ...]:
    """The pictures that are there."""
    paths = (folder / _FOLDER / f"{name}.png" for name in _NAMES)
    return tuple(path for path in paths if files.is_file(path))


def draw(study: "optuna.Study", folder: Path, metric: str) -> tuple[Path, ...]:
    """The history, all values side by side, and what matters most; nothing where too few trials are complete."""
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _FEWEST:
        return ()
    names = sorted({name for trial in complete for name in trial.params})

    def history(charts: Any) -> Any:
        return charts.plot_optimization_history(study, target_name=metric)

    def side_by_side(charts: Any) -> Any:
        return _mended(charts.plot_parallel_coordinate(study, target_name=metric), names)

    def importances(charts: Any) -> Any:
        return charts.plot_param_importances(study, target_name=metric)

    makers = [history, side_by_side]
    if len({trial.value for trial in complete}) > 1:  # else nothing has any influence
        makers.append(importances)
    of = f"{study.study_name}: {metric} of {len(complete):,} complete trials"
    for name, make in zip(_NAMES, makers, strict=False):
        _save(make, folder / _FOLDER / f"{name}.png", of)
    return drawn(folder)


def _mended(axes: Any, names: Sequence[str]) -> Any:
    """Parallel coordinates with whole names, numbers without markup, and the bar of colours beside the last axis."""
    from matplotlib.ticker import NullFormatter

    labels = [label.get_text() for label in axes.get_xticklabels()]
    whole = [next((name for name in names if name.startswith(label.removesuffix("..."))), label) for label in labels]
    for part, given in enumerate(labels):  # two names may begin alike: both are in their order
        if given.endswith("...") and 0 < part <= len(names):
            whole[part] = names[part - 1]
    axes.set_xticklabels(whole, rotation=-20, ha="left")
    for other in axes.figure.axes:
        if other.get_yscale() == "log":
            style.plain(other.yaxis)
            other.yaxis.set_minor_formatter(NullFormatter())
        if other.get_label() == "<colorbar>":
            box = other.get_position()
            other.set_position((box.x0 + _BAR, box.y0, box.width, box.height))
    return axes


def _save(make: Callable[[Any], Any], path: Path, of: str) -> None:
    """Draw one picture; pyplot, by which Optuna draws, keeps it until it is closed, and may be a notebook's."""
    with style.drawing():
        import matplotlib.pyplot as plt
        from optuna.visualization import matplotlib as charts

        before = plt.get_backend()
        plt.switch_backend("agg")
        figure = None
        try:
            figure = make(charts).figure
            figure.set_size_inches(9.5, 5.5)
            figure.suptitle(of, fontsize=style.TEXT, x=0.02, ha="left")
            content = io.BytesIO()
            figure.savefig(content, format="png", dpi=style.DPI, bbox_inches="tight", metadata={"Software": None})
        finally:
            plt.close(figure)
            plt.switch_backend(before)
    files.write_bytes(path, content.getvalue())

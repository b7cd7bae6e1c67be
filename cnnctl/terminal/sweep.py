"""The result of a sweep, and of a cross-validation."""

from typing import TYPE_CHECKING

from cnnctl.config.problems import show
from cnnctl.formatting import duration, printable
from cnnctl.terminal.render import LEFT, RIGHT, print_pairs, print_table, print_text, say, say_values

if TYPE_CHECKING:
    from cnnctl.sweeping.cross_validation import CrossValidation
    from cnnctl.sweeping.result import SweepResult
    from cnnctl.sweeping.study import Slot

_SHOWN = 10


def print_sweep(result: "SweepResult") -> None:
    """The best trials as a table, what is written, and what the best figure is worth."""
    if say_values(result.best_config):
        return
    keys = list(result.trials[0].values) if result.trials else []
    rows = [_row(slot, keys) for slot in result.ranked[:_SHOWN]]
    header = ("trial", result.metric, "epochs", "time", *(key.rpartition(".")[2] for key in keys))
    print_table(header, rows, (RIGHT, RIGHT, RIGHT, RIGHT, *(LEFT for _ in keys)))
    counts = {state: result.count(state) for state in ("complete", "pruned", "failed")}
    told = [f"{count:,} {state}" for state, count in counts.items() if count or state == "complete"]
    hidden = len(result.ranked) - len(rows)
    print_text(f"\n{', '.join(told)}{f'; the best {_SHOWN} are shown' if hidden > 0 else ''}")
    if result.best is not None and counts["complete"] > 1:
        print_text(
            f"the best of {counts['complete']:,} on the same images flatters itself: "
            "judge it on test images that no trial has seen, or by cnnctl cross-validate"
        )
    lines = {"trials": result.folder / "trials.csv", "best": result.best_config}
    lines |= {"run": result.run_of(result.best)} if result.best is not None else {}
    lines |= {"pictures": result.pictures[0].parent} if result.pictures else {}
    say()
    print_pairs({name: printable(str(path)) for name, path in lines.items()}, max(map(len, lines)) + 2)


def _row(slot: "Slot", keys: list[str]) -> tuple[str, ...]:
    value = "" if slot.value is None else f"{slot.value:.4f}"
    took = "" if slot.seconds is None else duration(slot.seconds)
    chosen = (slot.values[key] for key in keys)
    shown = (f"{one:.4g}" if isinstance(one, float) else show(one) for one in chosen)
    return (f"{slot.number:04}", value, f"{slot.epochs:,}", took, *shown)


def print_cross_validation(result: "CrossValidation") -> None:
    """The metrics over all folds, and what is written."""
    from cnnctl.evaluation.metrics import METRICS, RANKING

    titles = {metric.key: metric for metric in METRICS}
    if say_values(*(f"{one.mean:.6g}" for one in result.spreads if one.key == RANKING.key)):
        return
    rows = []
    for one in result.spreads:
        metric = titles[one.key]
        shown = metric.column_format or metric.format
        between = "" if one.low is None else f"{format(one.low, shown)} to {format(one.high, shown)}"
        lowest, highest = (format(end(one.values), shown) for end in (min, max))
        rows.append((metric.named(result.pooled.figures), format(one.mean, shown), between, f"{lowest} to {highest}"))
    print_table(
        ("held-out images", "mean", "95% interval", "lowest and highest fold"), rows, (LEFT, RIGHT, RIGHT, RIGHT)
    )
    times = f", dealt {result.repeat} times" if result.repeat > 1 else ""
    print_text(f"\n{result.folds} folds{times}; no network was tested on images that trained it or chose its epoch")
    lines = {
        "runs": result.runs[0].parent,
        "predictions": result.folder / "predictions.csv",
        "picture": result.folder / ("f1.png" if result.pooled.several else "confusion_matrix.png"),
        **({"ensemble": result.ensemble.path} if result.ensemble is not None else {}),
    }
    say()
    print_pairs({name: printable(str(path)) for name, path in lines.items()}, max(map(len, lines)) + 2)

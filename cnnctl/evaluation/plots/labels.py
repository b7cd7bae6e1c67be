"""Several labels an image: precision over recall of each class, and where its threshold lies."""

from typing import Any

from cnnctl.evaluation.metrics import LabelMetrics
from cnnctl.evaluation.score import ScoredSplit
from cnnctl.pictures import style

_COLUMNS = 4
_SIDE, _GAP, _TITLE, _BELOW = 1.45, 0.42, 0.42, 0.9
_MOST = 40  # classes in a picture


def precision_recall_of_labels_figure(scored: ScoredSplit) -> Any:
    """A panel for each class, that with the lowest average precision first; of very many classes the lowest."""
    from sklearn.metrics import precision_recall_curve

    several, metrics = scored.several, scored.metrics
    assert several is not None
    own = [one for one in metrics.per_class if isinstance(one, LabelMetrics)]
    known = [at for at, one in enumerate(own) if one.average_precision is not None]
    order = sorted(known, key=lambda at: own[at].average_precision or 0.0)[:_MOST]
    columns, rows = min(_COLUMNS, max(1, len(order))), -(-len(order) // _COLUMNS)
    content = columns * (_SIDE + _GAP) - _GAP
    left = max(0.75, (style.NARROWEST - content) / 2)
    step = _TITLE + _SIDE + 0.32
    width = max(style.NARROWEST, left + content + style.MARGIN)
    figure = style.new_figure(width, style.HEAD + rows * step + _BELOW)
    axes = None
    for place, at in enumerate(order):
        row, column = divmod(place, columns)
        bottom = _BELOW + (rows - 1 - row) * step + 0.32
        axes = style.panel(figure, left + column * (_SIDE + _GAP), bottom, _SIDE, _SIDE)
        truth, one = several.truth[:, at], own[at]
        precision, recall, _ = precision_recall_curve(truth, several.probabilities[:, at], drop_intermediate=True)
        axes.axhline(float(truth.mean()), color=style.GREY, linestyle="--", linewidth=1, label="chance")
        axes.plot(recall, precision, color=style.BLUE, drawstyle="steps-post", label="every threshold", clip_on=False)
        if several.given[:, at].any():
            marks = {"color": style.RED, "label": "threshold of the class", "clip_on": False, "linestyle": "none"}
            axes.plot(one.recall, one.precision, "o", markersize=5, **marks)
        area = f" {one.average_precision:.3f}"
        name = style.fitted(metrics.classes[at], _SIDE + _GAP / 2 - style.width_of(area, style.SMALL), style.SMALL)
        axes.set_title(style.left_to_right(name) + area, fontsize=style.SMALL, pad=4)
        _scale(axes, is_first=column == 0, is_last=place + columns >= len(order))
    if axes is not None:
        _legend(figure)
    absent = len(own) - len(known)
    facts = f"mean average precision {metrics.mean_average_precision or 0.0:.3f} of {len(known):,} classes"
    facts += f", of which the {_MOST} lowest are shown" if len(known) > _MOST else ""
    facts += f"; {absent:,} without images" if absent else ""
    style.heading(figure, "Precision and recall of each class", scored.title, facts)
    return figure


def _scale(axes: Any, is_first: bool, is_last: bool) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])
    style.plain(axes.xaxis, percent=True)
    style.plain(axes.yaxis, percent=True)
    axes.tick_params(labelleft=is_first, labelbottom=is_last, labelsize=style.SMALL - 1, length=2, pad=2)
    axes.grid()
    if is_first:
        axes.set_ylabel("precision", fontsize=style.SMALL)
    if is_last:
        axes.set_xlabel("recall", fontsize=style.SMALL)


def _legend(figure: Any) -> None:
    """What the marks mean, once for all panels."""
    found: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    height = figure.get_size_inches()[1]
    figure.legend(
        list(found.values()), list(found), loc="lower center", bbox_to_anchor=(0.5, 0.08 / height), ncols=len(found)
    )

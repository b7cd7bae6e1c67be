"""An evaluation in one sentence: how good, on how many images, how sure, and what no network at all would reach."""

from collections.abc import Mapping
from typing import Any

from cnnctl.data.split import TRAIN, VALIDATION
from cnnctl.evaluation.metrics import RANKING, Figures, are_of_several
from cnnctl.formatting import percent, printable

_SEEN = {VALIDATION: ", which chose its epoch", TRAIN: ", which trained it"}
_LONGEST = 40
"""Letters of a name of images or a class; a path is told by its end."""


def verdict(content: Figures) -> str:
    """The sentence about an evaluation in the form of metrics.json; what that lacks is left out."""
    images, split = int(content["images"]), str(content["split"])
    right = round(content["accuracy"] * images)
    noun = "image" if images == 1 else "images"
    share = f"{percent(content['accuracy'])}"
    interval = RANKING.interval_text(content)
    if interval:
        share += f" (95% interval {interval})"
    what = "all labels right" if are_of_several(content) else "right"
    said = f"{what} on {right:,} of {images:,} {_short(split)} {noun}{_SEEN.get(split, '')}: {share}"
    compared = _compared_labels(content) if are_of_several(content) else _compared(content)
    off = content.get("expected_calibration_error")
    sure = "" if off is None else f"; its probabilities are off by {100 * off:.1f} points on average"
    return f"{said}{compared}{sure}"


def _compared(content: Figures) -> str:
    """How that compares with the most frequent class for every image, and with chance."""
    counts = _supports(content.get("per_class"))
    if len(counts) < 2:
        return ""
    most = max(counts, key=lambda name: counts[name])
    always, chance = counts[most] / sum(counts.values()), 1 / len(counts)
    low = (content.get(RANKING.interval_key) or [content["accuracy"]])[0]
    better = "more than" if low > max(always, chance) else "not surely more than"
    guess = "a coin" if len(counts) == 2 else "a blind guess"
    return f", {better} the {percent(always)} of always saying {_short(most)} and the {percent(chance)} of {guess}"


def _compared_labels(content: Figures) -> str:
    """The mean F1 of the classes, and that of giving every image every label."""
    counts, images = _supports(content.get("per_class")), int(content["images"])
    said = f"; the mean F1 of the classes is {content['macro_f1']:.3f}"
    if not counts:
        return said
    always = sum(2 * count / (images + count) for count in counts.values()) / len(counts)
    return f"{said}, that of giving every image every label {always:.3f}"


def _supports(per_class: Any) -> dict[str, int]:
    if not isinstance(per_class, Mapping):
        return {}
    counts = {str(name): int(one["support"]) for name, one in per_class.items()}
    return counts if sum(counts.values()) > 0 else {}


def _short(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= _LONGEST else f"…{shown[1 - _LONGEST :]}"

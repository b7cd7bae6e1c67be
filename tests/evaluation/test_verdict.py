"""An evaluation in one sentence."""

import numpy as np
import pytest

from cnnctl.evaluation.score import score
from cnnctl.evaluation.verdict import verdict


def content(right: int, counts: dict[str, int], split: str = "test") -> dict[str, object]:
    """An evaluation in which the first `right` images of all classes in turn are answered rightly, with 80%."""
    names = tuple(sorted(counts))
    truth = np.repeat(np.arange(len(names)), [counts[name] for name in names])
    answers = np.where(np.arange(len(truth)) < right, truth, (truth + 1) % len(names))
    probabilities = np.full((len(truth), len(names)), 0.2 / (len(names) - 1), np.float32)
    probabilities[np.arange(len(truth)), answers] = 0.8
    return {"split": split, **score(probabilities, truth.astype(np.int64), names).to_json()}


def test_the_whole_sentence() -> None:
    assert verdict(content(90, {"ant": 30, "bee": 50, "cat": 20})) == (
        "right on 90 of 100 test images: 90.0% (95% interval 82.6% to 94.5%), more than the 50.0% of always saying bee "
        "and the 33.3% of a blind guess; its probabilities are off by 10.0 points on average"
    )


@pytest.mark.parametrize(
    ("right", "counts", "said"),
    [
        (60, {"no": 50, "yes": 50}, ", more than the 50.0% of always saying no and the 50.0% of a coin;"),
        (59, {"no": 50, "yes": 50}, ", not surely more than the 50.0% of always saying no"),  # from 49.2% on
        (90, {"no": 10, "yes": 90}, ", not surely more than the 90.0% of always saying yes"),
        (1, {"no": 1, "yes": 0}, "right on 1 of 1 test image: 100.0% (95% interval 20.7% to 100.0%), not surely more"),
        (5, {"a\x1b" * 30: 5, "b": 4}, "always saying …"),
    ],
)
def test_what_it_is_compared_with(right: int, counts: dict[str, int], said: str) -> None:
    assert said in verdict(content(right, counts))


def test_images_that_were_seen_in_training() -> None:
    counts = {"no": 50, "yes": 50}
    assert "100 validation images, which chose its epoch: " in verdict(content(90, counts, "validation"))
    assert "100 train images, which trained it: " in verdict(content(90, counts, "train"))
    assert "100 /photos/new images: " in verdict(content(90, counts, "/photos/new"))


def test_runs_of_earlier_versions_say_less() -> None:
    assert (
        verdict({"split": "test", "images": 9, "accuracy": 1.0, "loss": 0.1}) == "right on 9 of 9 test images: 100.0%"
    )

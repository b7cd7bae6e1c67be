"""The cells and sentences of `compare`."""

import pytest

from cnnctl.config.difference import ABSENT
from cnnctl.evaluation.comparison import PairwiseTest
from cnnctl.terminal.compare import lines_of, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ABSENT, "—"),
        (None, "none"),
        (True, "true"),
        (0.001, "0.001"),
        (1e-7, "1e-07"),
        (0.1234567891, "0.1234567891"),
        (2, "2"),
        ("relu", "relu"),
        ([3, 3], "[3, 3]"),
        ({}, "by default"),
        ({"sgd": {"momentum": 0.5}}, "sgd: {momentum: 0.5}"),
        ([{"conv2d": {"filters": 8}}, "flatten"], "[{conv2d: {filters: 8}}, flatten]"),
    ],
)
def test_values(value: object, text: str) -> None:
    assert value_text(value) == text


def test_sentences() -> None:
    def said(best_only: int, other_only: int, p: float) -> str:
        one = PairwiseTest(0, 1, (50, 50), 50, 0, best_only, other_only, p, p)
        return "\n".join(lines_of(one, ["A", "B"]))

    assert (
        said(1, 0, 1.0) == "A is right on 1 image that B gets wrong, B on 0 that A gets wrong: p = 1, not significant"
    )
    assert said(12, 37, 0.0004).startswith("B is right on 37 images that A gets wrong, A on 12 that B gets wrong: p = ")
    assert said(12, 37, 0.0004).endswith("p = 0.0004, significant")
    relabelled = PairwiseTest(0, 1, (50, 60), 40, 3, 5, 2, 0.45, 0.45)
    first, _ = lines_of(relabelled, ["A", "B"])
    assert first == (
        "A was evaluated on 50 images and B on 60; 40 of them are the same, 3 more have another label: "
        "the test is on those alone"
    )

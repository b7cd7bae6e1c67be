"""Answers: the likeliest first, and the same form wherever they are written."""

import numpy as np
import pytest

from cnnctl.inference.answers import Answer, predicted
from cnnctl.inference.unknown import Foreignness

CHANCES = np.array([0.25, 0.5, 0.25], np.float32)

NOT_ASKED = {"unknown": None, "unknown_score": None, "unknown_threshold": None}


def test_the_likeliest_first_and_equal_ones_in_label_order():
    answer = Answer("a.png", predicted(CHANCES, ("red", "green", "blue"), 2))
    assert answer.to_json() == {
        "path": "a.png",
        "label": "green",
        "probability": 0.5,
        "top": [{"label": "green", "probability": 0.5}, {"label": "red", "probability": 0.25}],
        **NOT_ASKED,
    }
    assert len(predicted(CHANCES, ("red", "green", "blue"), 99).top) == 3


def test_an_error_is_there_only_where_it_failed():
    failed = {"path": "a.png", "label": None, "probability": None, "top": [], **NOT_ASKED, "error": "it is empty"}
    assert Answer("a.png", None, "it is empty").to_json() == failed


@pytest.mark.parametrize(("score", "unknown"), [(0.49, False), (0.5, False), (0.51, True)])
def test_above_the_threshold_an_image_is_unknown(score: float, unknown: bool):
    said = predicted(CHANCES, ("red", "green", "blue"), foreign=Foreignness(score, 0.5))
    assert said.unknown is unknown
    told = Answer("a.png", said).to_json()
    assert (told["unknown"], told["unknown_score"], told["unknown_threshold"]) == (unknown, score, 0.5)
    assert told["label"] == "green"

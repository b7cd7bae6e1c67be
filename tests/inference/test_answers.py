"""Answers: the likeliest first, and the same form wherever they are written."""

import numpy as np

from cnnctl.inference.answers import Answer, predicted

CHANCES = np.array([0.25, 0.5, 0.25], np.float32)


def test_the_likeliest_first_and_equal_ones_in_label_order():
    answer = Answer("a.png", predicted(CHANCES, ("red", "green", "blue"), 2))
    assert answer.to_json() == {
        "path": "a.png",
        "label": "green",
        "probability": 0.5,
        "top": [{"label": "green", "probability": 0.5}, {"label": "red", "probability": 0.25}],
    }
    assert len(predicted(CHANCES, ("red", "green", "blue"), 99).top) == 3


def test_an_error_is_there_only_where_it_failed():
    failed = {"path": "a.png", "label": None, "probability": None, "top": [], "error": "it is empty"}
    assert Answer("a.png", None, "it is empty").to_json() == failed

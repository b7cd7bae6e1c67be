"""Accuracy where a model is sure, and what prediction sets hold, by hand."""

import numpy as np

from cnnctl.evaluation.score import score
from cnnctl.evaluation.selective import COVERAGES, THRESHOLDS, Answered, Covered
from cnnctl.inference.sets import SetScores, score_sets

CHANCES = np.array([[0.96, 0.04, 0], [0.2, 0.8, 0], [0.3, 0.3, 0.4], [0.02, 0.97, 0.01]], np.float32)
TRUTH = np.array([0, 1, 0, 2])


def test_answers_from_a_probability_on():
    rows = score(CHANCES, TRUTH, ("a", "b", "c")).answered
    assert rows == (
        Answered(0.5, 0.75, 2 / 3),
        Answered(0.8, 0.75, 2 / 3),
        Answered(0.9, 0.5, 0.5),
        Answered(0.95, 0.5, 0.5),
        Answered(0.99, 0.0, None),
    )
    assert [row.threshold for row in rows] == list(THRESHOLDS)


def test_sets_are_counted():
    scores = SetScores("validation", 9, ((8, 0.0), (9, 0.5), (10, 0.98)))
    found = score(CHANCES, TRUTH, ("a", "b", "c"), scores)
    assert found.covered == (
        Covered(0.8, 0.5, 1.0),
        Covered(0.9, 0.75, 1.25),
        Covered(0.95, 0.75, 9 / 4),
        Covered(0.99, 0.75, 9 / 4),
    )
    assert [one.coverage for one in found.covered] == list(COVERAGES)
    assert found.to_json()["prediction_sets"][0] == {"coverage": 0.8, "reached": 0.5, "mean_size": 1.0}


def test_without_scores_there_are_no_sets():
    assert score(CHANCES, TRUTH, ("a", "b", "c")).covered == ()
    assert "prediction_sets" not in score(CHANCES, TRUTH, ("a", "b", "c")).to_json()


def test_the_scores_of_its_own_images_cover_them():
    draws = np.random.default_rng(0)
    chances = draws.dirichlet(np.ones(4), 400).astype(np.float32)
    truth = draws.integers(0, 4, 400)
    for one in score(chances, truth, tuple("abcd"), score_sets(chances, truth, "validation")).covered:
        assert one.reached >= one.coverage

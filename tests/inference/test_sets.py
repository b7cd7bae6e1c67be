"""Prediction sets: by hand, in a file, and whether they hold what they promise on images of a trained network."""

import math

import numpy as np
import pytest

from cnnctl.errors import RunError, UsageError
from cnnctl.inference.model import load_classifier
from cnnctl.inference.sets import SetScores, in_sets, prediction_set, score_sets
from cnnctl.inference.stream import classify
from cnnctl.runs import Run
from tests.conftest import Trained

CLASSES = ("a", "b", "c")
CHANCES = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2], [0.05, 0.9, 0.05]], np.float32)


def test_the_score_of_a_class_is_the_probability_of_the_likelier_ones():
    scores = score_sets(CHANCES, np.array([1, 2, 1, 0]), "validation")
    assert scores.images == 4
    assert [rank for rank, _ in scores.ranked] == [1, 2, 3, 4]
    assert [score for _, score in scores.ranked] == pytest.approx([0, 0.4, 0.5, 0.9])


@pytest.mark.parametrize(
    ("coverage", "threshold"), [(0.2, 0), (0.21, 0.4), (0.4, 0.4), (0.6, 0.5), (0.8, 0.9), (0.81, math.inf)]
)
def test_the_threshold_is_the_score_of_a_rank_among_one_more(coverage, threshold):
    """Of 4 scores and that of a new image, the rank is the coverage times 5, rounded up."""
    assert score_sets(CHANCES, np.array([1, 2, 1, 0]), "validation").threshold(coverage) == pytest.approx(threshold)


def test_a_set_takes_the_classes_up_to_the_threshold_and_always_the_likeliest():
    assert prediction_set(CHANCES[0], CLASSES, 0.0) == ("a",)
    assert prediction_set(CHANCES[0], CLASSES, 0.5) == ("a", "b")
    assert prediction_set(CHANCES[0], CLASSES, math.inf) == ("a", "b", "c")
    assert prediction_set(CHANCES[1], CLASSES, 0.7) == ("c", "b")
    assert prediction_set(CHANCES[2], CLASSES, 0.1) == ("a",)  # of equals the first in label order
    within = in_sets(CHANCES, 0.5)
    for row, chances in zip(within, CHANCES, strict=True):
        assert {name for name, held in zip(CLASSES, row, strict=True) if held} == set(
            prediction_set(chances, CLASSES, 0.5)
        )


@pytest.mark.parametrize("coverage", [0, 1, -0.5, 95, math.nan, math.inf])
def test_a_coverage_is_a_share(coverage):
    with pytest.raises(UsageError, match="expected a coverage between 0 and 1; received: "):
        score_sets(CHANCES, np.array([1, 2, 1, 0]), "validation").threshold(coverage)


def test_of_many_images_a_thousand_ranks_are_kept_and_none_promises_more():
    draws = np.random.default_rng(0)
    chances = draws.dirichlet(np.ones(5), 7000).astype(np.float32)
    truth = draws.integers(0, 5, 7000)
    scores = score_sets(chances, truth, "validation")
    every = np.sort(
        [score for chance, at in zip(chances, truth, strict=True) for score in [chance[chance > chance[at]].sum()]]
    )
    assert len(scores.ranked) == 1000
    for coverage in (0.5, 0.8, 0.9, 0.95, 0.99):
        exact = every[math.ceil(7001 * coverage) - 1]
        assert exact - 1e-6 <= scores.threshold(coverage) <= every[math.ceil(7001 * coverage) + 7] + 1e-6
    assert SetScores.from_json(scores.to_json(), "x") == scores


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"split": "validation", "images": 3, "ranked_scores": [[1]]},
        {"split": "validation", "images": 3, "ranked_scores": [[1, "x"]]},
        {"split": "validation", "images": 3, "ranked_scores": [[2, 0.1], [1, 0.2]]},
        {"split": "validation", "images": 3, "ranked_scores": [[1, 0.3], [2, 0.2]]},
        {"split": "validation", "images": 3, "ranked_scores": [[1, math.nan]]},
        {"split": "validation", "images": 3, "ranked_scores": [[1, 7]]},
    ],
)
def test_another_form_is_refused(value):
    with pytest.raises(RunError, match=r"runs/1/prediction_sets\.json does not hold"):
        SetScores.from_json(value, "runs/1/prediction_sets.json")


def test_sets_hold_the_right_class_as_often_as_they_promise(digits_run: Trained):
    """Of a trained network: the validation and test images, split anew 20 times into images to go by and to count."""
    run = Run(digits_run.run)
    classifier = load_classifier(run)
    chances, truth = [], []
    for split in ("validation", "test"):
        paths, labels = run.read_split(split)
        chances += [answer.probabilities for answer in classify(classifier, paths)]
        truth += [classifier.classes.index(label) for label in labels]
    every, known = np.stack(chances), np.array(truth)
    assert (every.argmax(axis=1) == known).mean() < 0.97, "this network is too good to tell sets from answers"
    for coverage in (0.9, 0.95, 0.99):
        reached, sizes = [], []
        for seed in range(20):
            order = np.random.default_rng(seed).permutation(len(known))
            ours, theirs = order[:314], order[314:]
            within = in_sets(every[theirs], score_sets(every[ours], known[ours], "validation").threshold(coverage))
            reached.append(within[range(len(theirs)), known[theirs]].mean())
            sizes.append(within.sum(axis=1).mean())
        assert np.mean(reached) >= coverage - 0.006
        assert min(reached) > coverage - 0.05
        assert 1 <= np.mean(sizes) < 4

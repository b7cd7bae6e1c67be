"""Labels that are contradicted: the published formula, its order, neighbours, and confused classes."""

import numpy as np
import pytest

from cnnctl.examining.confident import confident_classes, label_shares
from cnnctl.examining.labels import Opinion, confused_classes, contradicted
from cnnctl.examining.neighbours import find_neighbours, how_many

CLASSES = ("cat", "dog", "fox")


def test_an_image_belongs_to_a_class_from_its_mean_on() -> None:
    probabilities = np.array(
        [[0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.2, 0.6, 0.2], [0.45, 0.3, 0.25], [0.8, 0.1, 0.1]],
        np.float32,
    )
    labels = np.array([0, 0, 1, 1, 1, 1])
    # means of the labels' own probabilities: cat (0.9 + 0.5) / 2 = 0.7, dog (0.8 + 0.6 + 0.3 + 0.1) / 4 = 0.45
    assert confident_classes(probabilities, labels).tolist() == [0, -1, 1, 1, -1, 0]
    assert np.allclose(label_shares(probabilities, labels), [1, 0.5 / 0.7, 1, 1, 0.3 / 0.45, 0.1 / 0.45])


def test_a_class_without_images_is_none_that_an_image_belongs_to() -> None:
    probabilities = np.array([[0.1, 0.1, 0.8], [0.2, 0.7, 0.1]], np.float32)
    assert confident_classes(probabilities, np.array([0, 1])).tolist() == [0, 1]


def opinion(probabilities: np.ndarray, second: np.ndarray | None = None) -> Opinion:
    chosen = np.ones(len(probabilities), bool)
    return Opinion("it says", "it", chosen, probabilities.astype(np.float32), second)


def test_flipped_labels_are_found_the_surest_first() -> None:
    draws = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 100)
    probabilities = np.full((300, 3), 0.05) + draws.uniform(0, 0.02, (300, 3))
    probabilities[np.arange(300), truth] = 0.9
    given = truth.copy()
    flipped = [3, 120, 250]
    given[flipped] = (truth[flipped] + 1) % 3
    probabilities[120] = (0.0, 0.91, 0.09)  # its label is fox
    found = contradicted(opinion(probabilities), given, CLASSES)
    assert sorted(one.row for one in found) == flipped
    assert found[-1].row == 120
    assert {one.row: one.new_label for one in found} == {3: "cat", 120: "dog", 250: "fox"}
    assert found[0].score > found[-1].score == pytest.approx(1 - 0.09 / np.mean([*[0.9] * 99, 0.09]), abs=0.02)
    assert found[-1].about == "it says dog (91%; fox: 9%)"
    sided = np.eye(3)[given]  # somebody who sides with the labels makes it less sure
    assert all(one.score <= 0.5 for one in contradicted(opinion(probabilities, sided), given, CLASSES))


def test_labels_that_nothing_contradicts_are_not_found() -> None:
    assert contradicted(opinion(np.eye(3)), np.arange(3), CLASSES) == []


def test_classes_are_confused_in_both_directions_only() -> None:
    labels = np.repeat([0, 1, 2], 50)
    answers = labels.copy()
    answers[:10], answers[50:58] = 1, 0  # cats for dogs, dogs for cats
    answers[100:120] = 0  # foxes for cats, and no cat for a fox
    (pair,) = confused_classes([opinion(np.eye(3)[answers])], labels, CLASSES)
    assert (pair.one, pair.other, pair.images, pair.taken) == ("cat", "dog", (50, 50), (10, 8))
    assert pair.words() == "cat for dog 20.0%, dog for cat 16.0%"
    assert confused_classes([], labels, CLASSES) == ()


def test_neighbours_are_the_nearest_without_the_image_itself() -> None:
    features = np.random.default_rng(2).standard_normal((200, 8)).astype(np.float32)
    reference = np.arange(0, 200, 2)
    found = find_neighbours(features, reference, 5, lambda done, total: None)
    distances = np.linalg.norm(features[:, None] - features[reference][None], axis=2)
    distances[reference, np.arange(100)] = np.inf
    assert (found.rows == reference[distances.argsort(axis=1)[:, :5]]).all()
    assert np.allclose(found.distances, np.sort(distances, axis=1)[:, :5], atol=1e-3)
    shares = found.probabilities(np.arange(200) % 4, 4)
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert (shares[:, [1, 3]] < 0.05).all()  # the reference has even rows only


def test_a_small_class_has_few_neighbours() -> None:
    assert how_many(np.repeat([0, 1], 4000)) == 40
    assert how_many(np.repeat([0, 1], 100)) == 20
    assert how_many(np.array([0, 1])) == 5

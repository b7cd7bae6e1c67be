"""How foreign an image is: by hand, in a file, in a damaged file, and what a run says of it."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest

from cnnctl.errors import EXIT_RUN, RunError
from cnnctl.evaluation.foreign import fit_familiar, with_threshold
from cnnctl.inference.model import load_classifier
from cnnctl.inference.stream import classify
from cnnctl.inference.unknown import MOST_FEATURES, Familiar, reduced
from tests.inference.build import COLOURED, colour_run, knowing_run, paint

RED = np.array([1, 0, 0], np.float32)


def familiar(images: int = 12, features: int = 3, seed: int = 0) -> Familiar:
    """What is kept of random training images of three classes."""
    draws = np.random.default_rng(seed)
    return fit_familiar(draws.random((images, features)).astype(np.float32), np.arange(images) % 3)


def by_hand(known: np.ndarray, asked: np.ndarray, neighbours: int) -> list[float]:
    """The distance of each row to the k-th nearest of the known ones, all of length 1."""
    lengths = [known / np.linalg.norm(known, axis=1)[:, None], asked / np.linalg.norm(asked, axis=1)[:, None]]
    return [sorted(math.dist(one, other) for other in lengths[0])[neighbours - 1] for one in lengths[1]]


def test_the_score_is_the_distance_to_the_nearest_training_image_but_one_in_a_hundred() -> None:
    draws = np.random.default_rng(1)
    known, asked = draws.random((300, 20)).astype(np.float32), draws.normal(size=(150, 20)).astype(np.float32)
    found = fit_familiar(known, np.zeros(300, int))
    assert (found.axes, found.neighbours, found.points.shape) == (None, 3, (300, 20))
    np.testing.assert_allclose(found.scores(asked), by_hand(known, asked, 3), atol=0.01)
    np.testing.assert_allclose(found.scores(7 * asked), found.scores(asked), atol=1e-6)
    few = fit_familiar(known[:2], np.zeros(2, int))
    assert few.neighbours == 1
    np.testing.assert_allclose(few.scores(asked), by_hand(known[:2], asked, 1), atol=0.01)


def test_what_lies_outside_the_main_axes_counts_too() -> None:
    """Training images have 20 of 1,500 features; one with others is as far from all of them as it can be."""
    draws = np.random.default_rng(2)
    known = np.zeros((300, 1500), np.float32)
    known[:, :20] = draws.random((300, 20))
    found = fit_familiar(known, np.zeros(300, int))
    assert found.axes is not None
    assert found.axes.shape == (1500, 43)
    asked = np.zeros((30, 1500), np.float32)
    asked[:20, :20] = draws.random((20, 20))
    asked[20:, 20:] = draws.random((10, 1480))
    scores = found.scores(asked)
    np.testing.assert_allclose(scores[:20], by_hand(known, asked[:20], 3), atol=0.02)
    np.testing.assert_allclose(scores[20:], math.sqrt(2), atol=0.02)


def test_many_images_are_kept_by_class_and_in_little_room() -> None:
    draws = np.random.default_rng(3)
    features, labels = draws.random((6000, 128)).astype(np.float32), np.sort(np.arange(6000) % 3)
    found = fit_familiar(features, labels)
    assert found.points.shape == (1280, 128)
    assert len(json.dumps(found.to_json())) < 400_000
    wide = fit_familiar(draws.random((600, MOST_FEATURES)).astype(np.float32), labels[:600])
    assert len(json.dumps(wide.to_json())) < 400_000


@pytest.mark.parametrize(("share", "unknown"), [(0.01, 0), (0.05, 5), (0.0999, 9), (0.1, 10), (0.5, 50)])
def test_the_threshold_is_passed_by_the_share_of_images(share: float, unknown: int) -> None:
    features = np.random.default_rng(4).random((100 if share > 0.01 else 99, 3)).astype(np.float32)
    found = with_threshold(familiar(), familiar().scores(features), share, "validation")
    assert sum(one.is_unknown for one in found.judge(features)) == unknown
    assert found.summary() == {
        "threshold": found.threshold,
        "share": share,
        "split": "validation",
        "images": len(features),
        "training_images": 12,
    }


def test_more_features_become_fewer_and_distances_stay() -> None:
    few = np.ones((2, MOST_FEATURES), np.float32)
    assert reduced(few) is few
    many = np.random.default_rng(5).normal(size=(20, 50_000)).astype(np.float32)
    made = reduced(many)
    assert made.shape == (20, MOST_FEATURES)
    before, after = (np.linalg.norm(one[:, None] - one[None], axis=2) for one in (many, made))
    others = ~np.eye(20, dtype=bool)
    np.testing.assert_allclose(after[others], before[others], rtol=0.1)


def test_a_file_gives_back_what_was_written() -> None:
    known = familiar(60, 200)
    found = with_threshold(known, known.scores(np.eye(200, dtype=np.float32)), 0.01, "validation")
    assert found.axes is not None
    assert found.axes.shape == (200, 128)
    read = Familiar.from_json(json.loads(json.dumps(found.to_json())), "x")
    asked = np.random.default_rng(6).random((5, 200)).astype(np.float32)
    assert read.judge(asked) == found.judge(asked)
    assert read.summary() == found.summary()


DAMAGES = {
    "nothing": lambda value: value.clear(),
    "no threshold": lambda value: value.pop("threshold"),
    "a threshold without end": lambda value: value.update(threshold=math.inf),
    "a share above 1": lambda value: value.update(share=7),
    "more neighbours than images": lambda value: value.update(neighbours=13),
    "no neighbours": lambda value: value.update(neighbours=0),
    "a number as text": lambda value: value.update(features="3"),
    "too many features": lambda value: value.update(features=10**9, axes=10**9),
    "too many images": lambda value: value.update(training_images=10**9),
    "more axes than features": lambda value: value.update(axes=4),
    "fewer bytes": lambda value: value.update(points_int8=value["points_int8"][:-8]),
    "no base64": lambda value: value.update(mean_float32="é" * 16),
    "what is no number": lambda value: value.update(mean_float32="AADAfwAAwH8AAMB/"),
    "what no such number can be": lambda value: value.update(mean_float32="AACgQAAAoEAAAKBA"),
    "axes that are a list": lambda value: value.update(axes_float16=[1, 2]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_another_form_is_refused(damage) -> None:
    value = copy.deepcopy(with_threshold(familiar(), familiar().scores(RED[None]), 0.01, "validation").to_json())
    Familiar.from_json(value, "x")
    damage(value)
    with pytest.raises(RunError, match=r"runs/1/unknown\.json does not hold what cnnctl writes") as caught:
        Familiar.from_json(value, "runs/1/unknown.json")
    assert caught.value.exit_code == EXIT_RUN
    assert "remove unknown.json" in (caught.value.hint or "")
    with pytest.raises(RunError):
        Familiar.from_json([], "x")


def test_a_run_says_which_images_are_unknown(tmp_path: Path) -> None:
    """Trained on reds and greens: blue is unlike both."""
    run = knowing_run(tmp_path / "run")
    paths = [paint(tmp_path / f"{name}.png", *colour) for name, colour in COLOURED.items()]
    found = {Path(one.path).stem: one for one in classify(load_classifier(run, tells_unknown=True), paths)}
    assert [name for name, one in found.items() if one.prediction and one.prediction.unknown] == ["blue"]
    said = found["blue"].to_json()
    assert (said["label"], said["unknown"]) == ("blue", True)
    assert said["unknown_score"] > said["unknown_threshold"]
    quiet = [one.to_json() for one in classify(load_classifier(run), paths)]
    assert {(one["unknown"], one["unknown_score"], one["unknown_threshold"]) for one in quiet} == {(None, None, None)}


def test_a_run_of_an_earlier_version_does_not_say(tmp_path: Path) -> None:
    run = colour_run(tmp_path / "run")
    assert load_classifier(run, tells_unknown=True).familiar is None
    run.write_json(run.unknown, with_threshold(familiar(), familiar().scores(RED[None]), 0.01, "validation").to_json())
    with pytest.raises(RunError, match=r"model\.onnx has no output features") as caught:
        load_classifier(run, tells_unknown=True)
    assert "remove unknown.json" in (caught.value.hint or "")
    assert load_classifier(run).familiar is None


def test_features_of_another_number_are_refused(tmp_path: Path) -> None:
    run = knowing_run(tmp_path / "run")
    scores = familiar(9, 4).scores(np.eye(4, dtype=np.float32))
    run.write_json(run.unknown, with_threshold(familiar(9, 4), scores, 0.1, "x").to_json())
    classifier = load_classifier(run, tells_unknown=True)
    with pytest.raises(RunError, match=r"run/unknown\.json is about 4 features, but an image has 3"):
        list(classify(classifier, [paint(tmp_path / "red.png", 200, 0, 0)]))

"""Which labels an image gets, by a threshold of each class."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import f1_score, precision_score, recall_score

from cnnctl.data.several import joined
from cnnctl.errors import RunError, UsageError
from cnnctl.inference.answers import Answer, predicted
from cnnctl.inference.model import load_classifier, metadata
from cnnctl.inference.sets import read_scores
from cnnctl.inference.stream import classify
from cnnctl.inference.thresholds import Thresholds, choose_thresholds, probability_of, read_thresholds
from cnnctl.inference.thresholds import given as gets
from cnnctl.runs import Run
from cnnctl.system import files
from tests.inference.build import COLOURS, SPEC, colour_model, paint

CASES = st.integers(1, 40).flatmap(
    lambda count: st.tuples(
        arrays.arrays(np.float32, count, elements=st.sampled_from([0, 0.125, 0.25, 0.5, 0.75, 0.875, 1])),
        arrays.arrays(np.uint8, count, elements=st.integers(0, 1)),
    )
)


@given(CASES)
def test_the_threshold_has_the_best_f1_of_all(case: tuple[np.ndarray, np.ndarray]) -> None:
    chances, truth = case
    (found,) = choose_thresholds(chances[:, None], truth[:, None], ["a"], "validation").classes.values()
    if not truth.any():
        assert found.threshold == 0.5
        return
    scores = [f1_score(truth, chances >= one) for one in np.unique(chances)]
    taken = chances >= np.float32(found.threshold)
    assert f1_score(truth, taken) == pytest.approx(max(scores))
    assert found.precision == pytest.approx(precision_score(truth, taken))
    assert found.recall == pytest.approx(recall_score(truth, taken))


@given(CASES, st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_the_threshold_has_the_wanted_precision_and_the_best_recall_with_it(
    case: tuple[np.ndarray, np.ndarray], wanted: float
) -> None:
    chances, truth = case
    thresholds = choose_thresholds(chances[:, None], truth[:, None], ["a"], "validation", wanted)
    if not truth.any():
        assert thresholds.missed() == ["a"]
        return
    found = thresholds.classes["a"]
    each = [chances >= one for one in np.unique(chances)]
    every = [(precision_score(truth, taken), recall_score(truth, taken)) for taken in each]
    reached = [recall for precision, recall in every if precision >= wanted - 1e-9]
    assert thresholds.missed() == ([] if reached else ["a"])
    best = max(reached) if reached else max(every)[1]
    taken = chances >= np.float32(found.threshold)
    assert recall_score(truth, taken) == pytest.approx(found.recall) == pytest.approx(best)


def test_thresholds_lie_between_two_probabilities() -> None:
    chances = np.array([[0.9], [0.8], [0.2], [0.1]], np.float32)
    (found,) = choose_thresholds(chances, np.array([[1], [1], [0], [0]]), ["a"], "validation").classes.values()
    assert found.threshold == 0.5
    near = np.nextafter(np.float32(0.25), np.float32(1))
    chances = np.array([[near], [0.25]], np.float32)
    (found,) = choose_thresholds(chances, np.array([[1], [0]]), ["a"], "validation").classes.values()
    assert (chances[:, 0] >= np.float32(found.threshold)).tolist() == [True, False]


def several_run(folder: Path) -> Run:
    """A run whose colours are labels of their own: of red, green and blue those from a third on."""
    run = Run(folder)
    files.write_bytes(run.onnx_model, colour_model(text=metadata(SPEC, COLOURS, several=True)))
    files.write_json(run.classes, list(COLOURS))
    chances = np.array([[0.5, 0.4, 0.3], [0.1, 0.2, 0.1]], np.float32)
    files.write_json(run.thresholds, choose_thresholds(chances, np.eye(3)[[0, 0]], COLOURS, "validation").to_json())
    return run


def test_a_run_says_which_labels_an_image_has(tmp_path: Path) -> None:
    run = several_run(tmp_path / "run")
    thresholds = read_thresholds(run, COLOURS)
    assert thresholds.tolist() == [pytest.approx(0.05), 0.5, 0.5]
    classifier = load_classifier(run, 1)
    assert classifier.several
    yellow, black, broken = paint(tmp_path / "y.png", 200, 200, 0), paint(tmp_path / "k.png", 0, 0, 0), "gone.png"
    found = list(classify(classifier, [yellow, black, broken], top=1))
    said = found[0].prediction
    assert said is not None
    assert said.labels is not None
    chances = said.probabilities
    assert said.label == joined(name for name, _ in said.labels)
    has = gets(chances, thresholds)
    assert [name for name, _ in said.labels] == [name for name, one in zip(COLOURS, has, strict=True) if one]
    assert said.probability == pytest.approx(np.prod(np.where(has, chances, 1 - chances)))
    value = found[0].to_json()
    assert value["label"] == said.label
    assert value["labels"] == [{"label": name, "probability": chance} for name, chance in said.labels]
    assert {one["label"] for one in value["labels"]} <= {one["label"] for one in value["top"]}
    assert found[2].to_json()["label"] is None
    assert "labels" not in found[2].to_json()


def test_an_image_may_have_none() -> None:
    said = predicted(np.array([0.2, 0.4], np.float32), ("a", "b"), 1, thresholds=np.array([0.5, 0.5], np.float32))
    assert (said.label, said.labels, said.named) == ("", (), "none of the classes")
    assert said.top == (("b", pytest.approx(0.4)),)
    assert said.probability == pytest.approx(0.8 * 0.6)
    assert Answer("x.png", said).to_json()["label"] == ""
    many = predicted(np.array([0.9, 0.2, 0.8], np.float32), tuple("abc"), 1, thresholds=np.full(3, 0.1, np.float32))
    assert [name for name, _ in many.top] == ["a", "c", "b"]  # no label is left out of them
    assert (many.label, many.named) == ("a|b|c", "a, b, c")


def test_without_thresholds_one_half_decides(tmp_path: Path) -> None:
    run = several_run(tmp_path / "run")
    run.thresholds.unlink()
    assert read_thresholds(run, COLOURS).tolist() == [0.5, 0.5, 0.5]
    plain = Run(tmp_path / "plain")
    files.write_bytes(plain.onnx_model, colour_model())
    files.write_json(plain.classes, list(COLOURS))
    assert load_classifier(plain, 1).thresholds is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value["classes"].pop("green"), "has no threshold of the class green"),
        (lambda value: value["classes"]["red"].update(threshold=float("nan")), "not between 0 and 1"),
        (lambda value: value["classes"]["red"].update(threshold=1.5), "not between 0 and 1"),
        (lambda value: value["classes"]["red"].pop("recall"), "does not hold what cnnctl writes"),
        (lambda value: value.update(classes=[1]), "does not hold what cnnctl writes"),
    ],
)
def test_damaged_thresholds_are_refused(change, message, tmp_path: Path) -> None:
    run = several_run(tmp_path / "run")
    value = json.loads(run.thresholds.read_text())
    assert Thresholds.from_json(value, "x").to_json() == value
    change(value)
    run.thresholds.write_text(json.dumps(value))
    with pytest.raises(RunError, match=message):
        load_classifier(run)


def test_prediction_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="prediction sets are for images with one label"):
        read_scores(several_run(tmp_path / "run"))


def test_the_probability_of_labels_is_a_product() -> None:
    chances = np.array([[0.9, 0.2], [0.5, 0.5]], np.float32)
    assert probability_of(chances, np.array([[1, 0], [0, 1]])).tolist() == [pytest.approx(0.72), 0.25]

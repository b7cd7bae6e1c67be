"""Figures against scikit-learn, formulas and slow loops."""

import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn_metrics

from cnnctl.evaluation import metrics
from cnnctl.evaluation import score as score_module
from cnnctl.evaluation.calibration import CALIBRATION_BINS, calibration
from cnnctl.evaluation.comparison import compare
from cnnctl.evaluation.evaluate import Evaluation
from cnnctl.evaluation.metrics import METRICS, Metric, read_figures
from cnnctl.evaluation.report import gather
from cnnctl.evaluation.score import score
from cnnctl.system import files
from cnnctl.terminal.compare import print_comparison
from cnnctl.terminal.training import print_evaluation
from cnnctl.tracking.tracker import finished
from tests.runs.build import images, write_run


def names(count):
    return tuple(f"class {number}" for number in range(count))


def random_case(images, classes, seed=0, sharpness=3.0):
    """Probabilities that are right more often than not, and the truth."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, images)
    logits = generator.normal(size=(images, classes))
    logits[np.arange(images), truth] += 1
    chances = np.exp(sharpness * logits)
    return (chances / chances.sum(axis=1, keepdims=True)).astype(np.float32), truth


def wilson(right, of):
    """Wilson (1927), with the normal distribution's quantile of 0.975."""
    z = 1.959963984540054
    share = right / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, centre - half), min(1.0, centre + half)


def slow_calibration_error(chances, truth):
    """Guo et al. 2017, equations 3 to 5: bins ((m - 1)/M, m/M]."""
    error = 0.0
    for number in range(CALIBRATION_BINS):
        low, high = number / CALIBRATION_BINS, (number + 1) / CALIBRATION_BINS
        own = [row for row in range(len(truth)) if low < chances[row].max() <= high]
        if own:
            accuracy = sum(chances[row].argmax() == truth[row] for row in own) / len(own)
            confidence = sum(float(chances[row].max()) for row in own) / len(own)
            error += len(own) / len(truth) * abs(accuracy - confidence)
    return error


@pytest.mark.parametrize(("images", "classes"), [(1, 2), (50, 2), (200, 3), (300, 5), (300, 6), (500, 40)])
def test_against_scikit_learn(images, classes):
    chances, truth = random_case(images, classes)
    got = score(chances, truth, names(classes))
    answers, numbers = chances.argmax(axis=1), np.arange(classes)
    assert got.images == images
    assert got.accuracy == pytest.approx(sklearn_metrics.accuracy_score(truth, answers))
    clipped = np.clip(chances.astype(np.float64), 1e-7, 1)
    assert got.loss == pytest.approx(-np.log(clipped[np.arange(images), truth]).mean())
    assert got.accuracy_interval == pytest.approx(wilson(round(got.accuracy * images), images))
    assert got.expected_calibration_error == pytest.approx(slow_calibration_error(chances, truth), abs=1e-6)
    report = sklearn_metrics.classification_report(
        truth, answers, labels=numbers, target_names=names(classes), output_dict=True, zero_division=0
    )
    for name, one in zip(got.classes, got.per_class, strict=True):
        theirs = report[name]
        assert (one.precision, one.recall, one.f1) == pytest.approx(
            (theirs["precision"], theirs["recall"], theirs["f1-score"])
        )
        assert one.support == theirs["support"]
    for name, one in got.averages.items():
        theirs = report[name.replace("_average", " avg")]
        assert asdict(one) == pytest.approx({key.replace("f1-score", "f1"): value for key, value in theirs.items()})
        assert got.to_json()[name] == asdict(one)
    assert np.array(got.confusion_matrix).tolist() == [
        [int(((truth == true) & (answers == answer)).sum()) for answer in numbers] for true in numbers
    ]
    if classes > 5:
        top = np.argsort(-chances, axis=1)[:, :5]
        assert got.top_5_accuracy == pytest.approx((top == truth[:, None]).any(axis=1).mean())
        assert got.top_5_accuracy >= got.accuracy
    else:
        assert got.top_5_accuracy is None
    if classes == 2 and images > 1:
        pairs = [(chances[a, 1] > chances[b, 1]) + 0.5 * (chances[a, 1] == chances[b, 1])
                 for a in np.flatnonzero(truth == 1) for b in np.flatnonzero(truth == 0)]  # fmt: skip
        assert got.roc_auc == pytest.approx(np.mean(pairs))
    else:
        assert got.roc_auc is None


CERTAIN = np.eye(2, dtype=np.float32)
CASES = {
    "perfect": (CERTAIN[[0, 1, 1, 0]], [0, 1, 1, 0], {"accuracy": 1, "loss": 0, "roc_auc": 1, "ece": 0}),
    "all wrong": (
        CERTAIN[[0, 1, 1, 0]],
        [1, 0, 0, 1],
        {"accuracy": 0, "loss": -math.log(1e-7), "roc_auc": 0, "ece": 1},
    ),
    "a guess": (
        np.full((4, 2), 0.5, np.float32),
        [0, 1, 0, 1],
        {"accuracy": 0.5, "loss": math.log(2), "roc_auc": 0.5, "ece": 0},
    ),
    "one class only": (CERTAIN[[1, 1]], [1, 1], {"accuracy": 1, "loss": 0, "roc_auc": None, "ece": 0}),
}


@pytest.mark.parametrize(("chances", "truth", "expected"), CASES.values(), ids=CASES)
def test_the_ends_of_the_scale(chances, truth, expected):
    got = score(chances, np.array(truth), ("no", "yes"))
    assert got.accuracy == expected["accuracy"]
    assert got.loss == pytest.approx(expected["loss"], abs=1e-6)
    assert not f"{got.loss:.4f}".startswith("-")
    assert got.roc_auc == expected["roc_auc"]
    assert got.expected_calibration_error == pytest.approx(expected["ece"])
    low, high = got.accuracy_interval
    assert 0 <= low <= got.accuracy <= high <= 1
    assert high - low > 0.3  # so few images prove little


def test_classes_without_images_score_zero_and_stay_in_the_table():
    chances = np.array([[0.7, 0.2, 0.1, 0], [0.1, 0.2, 0.7, 0]], np.float32)
    got = score(chances, np.array([0, 0]), ("a", "b", "c", "d"))
    assert [one.support for one in got.per_class] == [2, 0, 0, 0]
    assert [(one.precision, one.recall) for one in got.per_class] == [(1, 0.5), (0, 0), (0, 0), (0, 0)]
    assert got.confusion_matrix == ((1, 0, 1, 0), (0,) * 4, (0,) * 4, (0,) * 4)


def test_there_are_fifteen_bins():
    """0.62 (right) and 0.68 (wrong) lie in two of 15 bins; in one of 10 their gaps would cancel out."""
    chances = np.array([[0.62, 0.38], [0.32, 0.68]], np.float32)
    assert calibration(chances, np.array([0, 0])).expected_error == pytest.approx((0.38 + 0.68) / 2, abs=1e-6)


def test_calibration_by_hand():
    """Confidences 0.9 (right, wrong) and 0.6 (right): 2/3 * |0.5 - 0.9| + 1/3 * |1 - 0.6|."""
    chances = np.array([[0.9, 0.1], [0.1, 0.9], [0.4, 0.6]], np.float32)
    assert calibration(chances, np.array([0, 0, 1])).expected_error == pytest.approx(0.8 / 3 + 0.4 / 3, abs=1e-6)


def test_json_leaves_out_what_does_not_apply():
    two = score(*random_case(20, 2), ("no", "1e3")).to_json()
    assert list(two) == [
        "images",
        "accuracy",
        "accuracy_interval",
        "loss",
        "roc_auc",
        "expected_calibration_error",
        "classes",
        "macro_average",
        "weighted_average",
        "per_class",
        "confusion_matrix",
        "answered",
    ]
    assert list(two["per_class"]) == two["classes"] == ["no", "1e3"]
    assert list(two["per_class"]["no"]) == ["precision", "recall", "f1", "support"]
    six = score(*random_case(20, 6), names(6)).to_json()
    assert "top_5_accuracy" in six
    assert "roc_auc" not in six
    plain = (int, float, str, list, dict)
    assert all(type(value) in plain for value in two.values())
    assert {type(count) for row in two["confusion_matrix"] for count in row} == {int}


@st.composite
def cases(draw):
    classes = draw(st.integers(2, 8))
    images = draw(st.integers(1, 30))
    raw = draw(arrays(np.float64, (images, classes), elements=st.floats(0, 1, width=16)))
    chances = ((raw + 1e-6) / (raw + 1e-6).sum(axis=1, keepdims=True)).astype(np.float32)
    return chances, draw(arrays(np.int64, images, elements=st.integers(0, classes - 1)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cases())
def test_invariants(case):
    chances, truth = case
    got = score(chances, truth, names(chances.shape[1]))
    matrix = np.array(got.confusion_matrix)
    assert matrix.sum() == got.images == len(truth)
    assert got.accuracy == pytest.approx(np.trace(matrix) / matrix.sum())
    assert matrix.sum(axis=1).tolist() == [one.support for one in got.per_class]
    weighted = sum(one.recall * one.support for one in got.per_class) / got.images
    assert weighted == pytest.approx(got.accuracy)
    low, high = got.accuracy_interval
    assert 0 <= low <= got.accuracy + 1e-12
    assert got.accuracy - 1e-12 <= high <= 1
    assert 0 <= got.loss <= -math.log(1e-7) + 1e-6
    assert 0 <= got.expected_calibration_error <= 1
    for one in got.per_class:
        assert 0 <= one.f1 <= 1
        assert min(one.precision, one.recall) - 1e-12 <= one.f1 <= max(one.precision, one.recall) + 1e-12


def test_a_new_metric_is_one_row(tmp_path, monkeypatch, capsys):
    """It is in metrics.json, in the terminal, in compare, in the report and with the trackers."""
    row = Metric("median_chance", "median chance", ".2f", "higher", lambda chances, _: float(np.median(chances)), True)
    monkeypatch.setattr(metrics, "METRICS", (*METRICS, row))
    for reader in (score_module, gather):
        monkeypatch.setattr(reader, "METRICS", metrics.METRICS)
    got = score(*random_case(20, 2), ("no", "yes"))
    content = {"split": "test", **got.to_json()}
    value = content["median_chance"]
    assert read_figures(content)["median_chance"] == value == got.figures["median_chance"]
    print_evaluation(Evaluation(got, "test", tmp_path, content))
    assert ["median", "chance", f"{value:.2f}"] in [line.split() for line in capsys.readouterr().out.splitlines()]
    assert gather._splits(content).rows[0][-1] == f"{value:.2f}"
    runs = [write_run(tmp_path / str(number), images(6, 4)) for number in (1, 2)]
    assert finished(runs[0], content, 1).scores["test"]["median_chance"] == value
    files.write_json(runs[0].metrics, {**runs[0].read_metrics(), "median_chance": value})
    print_comparison(compare([run.path for run in runs]))
    assert next(line.split() for line in capsys.readouterr().out.splitlines() if "median" in line)[2:] == [
        f"{value:.2f}",
        "—",
    ]


def test_the_share_of_unknown_images_stands_beside_the_figures():
    chances, truth = random_case(20, 2)
    found = score(chances, truth, ("no", "yes"), unknown=np.arange(20) < 3)
    assert found.unknown_share == found.to_json()["unknown_share"] == 3 / 20
    (row,) = [one for one in METRICS if one.key == "unknown_share"]
    assert (row.title, row.text(found.figures)) == ("called unknown", "15.0%")
    assert read_figures(found.figures)["unknown_share"] == 3 / 20
    without = score(chances, truth, ("no", "yes"))
    assert without.unknown_share is None
    assert "unknown_share" not in without.to_json()

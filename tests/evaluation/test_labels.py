"""The figures of images with several labels, beside scikit-learn's, and the bootstrap of two runs."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics as sklearn

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.data.several import joined
from cnnctl.errors import UsageError
from cnnctl.evaluation.bootstrap import paired_bootstrap
from cnnctl.evaluation.calibration import calibration, fit_temperature, probabilities_at
from cnnctl.evaluation.comparison import compare
from cnnctl.evaluation.metrics import LabelMetrics, read_figures
from cnnctl.evaluation.plots.labels import precision_recall_of_labels_figure
from cnnctl.evaluation.plots.mistakes import mistakes_figure, most_confident
from cnnctl.evaluation.plots.write import write_plots
from cnnctl.evaluation.score import ScoredSplit
from cnnctl.pictures import style
from cnnctl.runs import Run
from cnnctl.system import files
from cnnctl.terminal.compare import print_comparison
from cnnctl.terminal.render import text_of
from tests.evaluation.plots.build import ODD
from tests.pictures.look import assert_all_inside
from tests.runs.build import write_run

NAMES = ("bird", "cat", "dog", "owl")


def made_up(names=NAMES, images: int = 300, absent: int | None = 3, seed: int = 0) -> ScoredSplit:
    """Probabilities that are right more often than not; no image has the class `absent`."""
    draws = np.random.default_rng(seed)
    truth = (draws.random((images, len(names))) < np.linspace(0.5, 0.1, len(names))).astype(np.uint8)
    if absent is not None:
        truth[:, absent] = 0
    chances = expit(3 * truth - 1.5 + draws.normal(0, 1.2, truth.shape)).astype(np.float32)
    paths = [f"{number}.png" for number in range(images)]
    thresholds = np.full(len(names), 0.6, np.float32)
    return ScoredSplit("made-up 1, test images", names, paths, truth, chances, ImageSpec(8, 8), thresholds=thresholds)


def test_figures_are_scikit_learns() -> None:
    scored = made_up()
    found, given = scored.metrics, scored.probabilities >= 0.6
    assert scored.several is not None
    assert found.images == 300
    assert found.accuracy == pytest.approx(sklearn.accuracy_score(scored.truth, given))
    low, high = found.accuracy_interval
    assert low < found.accuracy < high
    assert found.macro_f1 == pytest.approx(sklearn.f1_score(scored.truth, given, average="macro", zero_division=0))
    assert found.micro_f1 == pytest.approx(sklearn.f1_score(scored.truth, given, average="micro"))
    areas = [sklearn.average_precision_score(scored.truth[:, at], scored.probabilities[:, at]) for at in range(3)]
    assert found.mean_average_precision == pytest.approx(np.mean(areas))
    loss = np.mean(
        [sklearn.log_loss(scored.truth[:, at], scored.probabilities[:, at], labels=[0, 1]) for at in range(4)]
    )
    assert found.loss == pytest.approx(loss, rel=1e-5)
    columns = sklearn.precision_recall_fscore_support(scored.truth, given, zero_division=0)
    for at, one in enumerate(found.per_class):
        assert isinstance(one, LabelMetrics)
        assert (one.precision, one.recall, one.f1, one.support) == pytest.approx([column[at] for column in columns])
        assert one.threshold == pytest.approx(0.6)
    assert found.per_class[3].average_precision is None
    assert found.averages["macro_average"].f1 == pytest.approx(found.macro_f1)
    value = found.to_json()
    assert "confusion_matrix" not in value
    assert "prediction_sets" not in value
    assert read_figures(value) == {**found.figures, "accuracy_interval": tuple(found.figures["accuracy_interval"])}


def test_answers_are_judged_as_a_whole() -> None:
    scored = made_up(images=40)
    rows = list(scored.rows())
    assert [path for path, *_ in rows] == list(scored.paths)
    for (_, label, answer, chance, right), truth, chances in zip(rows, scored.truth, scored.probabilities, strict=True):
        has = chances >= 0.6
        assert label == joined(name for name, one in zip(NAMES, truth, strict=True) if one)
        assert answer == joined(name for name, one in zip(NAMES, has, strict=True) if one)
        assert chance == pytest.approx(np.prod(np.where(has, chances, 1 - chances)), rel=1e-5)
        assert right == (label == answer)
    sure = [chance for *_, chance, _ in rows]
    assert [one.share for one in scored.metrics.answered] == [
        pytest.approx(np.mean(np.array(sure) >= one)) for one in (0.5, 0.8, 0.9, 0.95, 0.99)
    ]
    wrong = sorted((chance for *_, chance, right in rows if not right), reverse=True)
    mistakes = most_confident(scored)
    assert [one.probability for one in mistakes] == pytest.approx(wrong[:20])
    assert all(not {*one.truth.split("|")} & {*one.predicted.split("|")} - {""} for one in mistakes)


def test_calibration_is_that_of_every_label() -> None:
    truth = np.array([[1, 0], [1, 1]], np.uint8)
    chances = np.array([[0.9, 0.2], [0.7, 0.7]], np.float32)
    found = calibration(chances, truth)
    assert found.images.sum() == 4
    assert found.expected_error == pytest.approx((0.1 + 0.2 + 2 * 0.3) / 4)
    draws = np.random.default_rng(0)
    logits = draws.normal(0, 3, (2000, 3)).astype(np.float32)
    own = (draws.random((2000, 3)) < expit(logits / 2.5)).astype(np.uint8)
    temperature = fit_temperature(logits, own)
    assert temperature == pytest.approx(2.5, rel=0.06)
    np.testing.assert_allclose(probabilities_at(logits, 2.0, several=True), expit(logits / 2), rtol=1e-5)
    before, after = (calibration(probabilities_at(logits, one, True), own).expected_error for one in (1, temperature))
    assert after < 0.02 < before


def test_the_pictures_are_drawn(tmp_path: Path) -> None:
    run = Run(tmp_path)
    write_plots(run, tmp_path / "plots", made_up())
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        *("f1.png", "mistakes.png", "precision_recall.png", "reliability.png")
    ]
    with style.drawing():
        assert_all_inside(precision_recall_of_labels_figure(made_up(ODD[:6], 60)))
        assert_all_inside(precision_recall_of_labels_figure(made_up(NAMES[:2], absent=None)))
        assert_all_inside(mistakes_figure(made_up()))


def texts(labels: np.ndarray) -> list[str]:
    return [joined(name for name, has in zip(NAMES, row, strict=True) if has) for row in labels.tolist()]


def test_the_bootstrap_is_paired_and_repeatable() -> None:
    draws = np.random.default_rng(0)
    truth = draws.random((400, 4)) < 0.3
    good, bad = (np.where(draws.random(truth.shape) < share, ~truth, truth) for share in (0.02, 0.2))
    found = paired_bootstrap(texts(truth), texts(good), texts(bad))
    f1 = [sklearn.f1_score(truth, one, average="macro") for one in (good, bad)]
    assert found.difference == pytest.approx(f1[0] - f1[1], abs=1e-6)
    assert found.low < found.difference < found.high
    assert found.p == pytest.approx(1 / 1000)
    assert found == paired_bootstrap(texts(truth), texts(good), texts(bad))
    other = paired_bootstrap(texts(truth), texts(bad), texts(good))
    assert (other.difference, other.p) == (pytest.approx(-found.difference), found.p)
    same = paired_bootstrap(texts(truth), texts(good), texts(good))
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert paired_bootstrap(["", ""], ["", ""], ["", ""]).p == 1


def several_run(folder: Path, flips: float) -> Run:
    """A finished run whose labels are wrong by some share."""
    draws = np.random.default_rng(int(flips * 100))
    truth = np.random.default_rng(0).random((200, 4)) < 0.4
    given = np.where(draws.random(truth.shape) < flips, ~truth, truth)
    run = write_run(folder, {"x.png": True}, ("output=multi_label",))
    files.write_json(run.classes, list(NAMES))
    labels, answers = texts(truth), texts(given)
    rows = [
        (f"{number}.png", label, answer, 0.5, "true" if label == answer else "false", "0.5")
        for number, (label, answer) in enumerate(zip(labels, answers, strict=True))
    ]
    header = ("path", "label", "predicted", "probability", "correct", "probabilities")
    files.write_csv(run.predictions, header, rows)
    scored = ScoredSplit(
        "", NAMES, labels, truth, given.astype(np.float32), ImageSpec(8, 8), thresholds=np.full(4, 0.5)
    )
    files.write_json(run.metrics, {"split": "test", **scored.metrics.to_json()})
    return run


def test_runs_are_compared_by_macro_f1(tmp_path: Path) -> None:
    runs = [several_run(tmp_path / name, flips) for name, flips in (("1", 0.2), ("2", 0.05))]
    comparison = compare([run.path for run in runs])
    (test,) = comparison.tests
    assert (test.best, test.other, test.shared) == (1, 0, 200)
    assert test.bootstrap is not None
    assert test.p == test.bootstrap.p < 0.05
    assert test.is_significant
    shown = text_of(lambda: print_comparison(comparison))
    for words in ("test macro F1", "test accuracy (all labels right)", "the macro F1 of B is 0.", "a paired bootstrap"):
        assert words in " ".join(shown.split()), words
    write_run(tmp_path / "3", {"x.png": True})
    with pytest.raises(UsageError, match=r"gives images several labels, and .* one each"):
        compare([runs[0].path, tmp_path / "3"])

"""ROC and precision-recall curves: areas and the marked threshold against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, precision_score, recall_score, roc_auc_score

from cnnctl.evaluation.plots.probabilities import has_thresholds, precision_recall_figure, roc_figure
from tests.evaluation.plots.build import made_up, numbered


def lines(figure):
    return {line.get_label(): np.array(line.get_data()) for line in figure.axes[0].lines}


def test_the_area_under_the_drawn_roc_curve():
    scored = made_up(("cat", "dog"))
    figure = roc_figure(scored)
    drawn = lines(figure)
    area = roc_auc_score(scored.truth, scored.probabilities[:, 1])
    assert auc(*drawn["every threshold"]) == pytest.approx(area)
    assert figure.texts[2].get_text().startswith(f"area under the curve {area:.4f}; ")
    answers = scored.probabilities.argmax(axis=1)
    false = np.mean(answers[scored.truth == 0] == 1)
    assert drawn["threshold 50%"].ravel().tolist() == pytest.approx([false, recall_score(scored.truth, answers)])
    assert "share of cat called dog" in figure.axes[0].get_xlabel()


def test_the_area_under_the_drawn_steps_of_precision():
    scored = made_up(("cat", "dog"))
    figure = precision_recall_figure(scored)
    drawn = lines(figure)
    recall, precision = drawn["every threshold"]
    area = -np.sum(np.diff(recall) * precision[:-1])
    expected = average_precision_score(scored.truth, scored.probabilities[:, 1])
    assert area == pytest.approx(expected)
    assert figure.texts[2].get_text().startswith(f"average precision {expected:.4f}; ")
    answers = scored.probabilities.argmax(axis=1)
    chosen = [recall_score(scored.truth, answers), precision_score(scored.truth, answers)]
    assert drawn["threshold 50%"].ravel().tolist() == pytest.approx(chosen)
    assert drawn["chance"][1] == pytest.approx([scored.truth.mean()] * 2)


def test_they_need_two_classes_with_images():
    assert has_thresholds(made_up(("cat", "dog")))
    assert not has_thresholds(made_up(("cat", "dog"), absent=1))
    assert not has_thresholds(made_up(numbered(3)))

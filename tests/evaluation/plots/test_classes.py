"""F1 of each class: the bars against scikit-learn, their order, and what is said of classes without images."""

import pytest
from sklearn.metrics import precision_recall_fscore_support

from cnnctl.evaluation.plots.classes import f1_figure
from tests.evaluation.plots.build import made_up, numbered


def test_bars_and_marks_are_scikit_learns_figures_from_the_lowest_up():
    scored = made_up(("cat", "dog", "fox", "owl"))
    figure = f1_figure(scored.metrics, scored.title)
    axes = figure.axes[0]
    precision, recall, f1, support = precision_recall_fscore_support(scored.truth, scored.probabilities.argmax(axis=1))
    order = f1.argsort()
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(f1[order].tolist())
    drawn = {line.get_label(): line.get_xdata() for line in axes.lines}
    assert list(drawn["precision"]) == pytest.approx(precision[order].tolist())
    assert list(drawn["recall"]) == pytest.approx(recall[order].tolist())
    names = [("cat", "dog", "fox", "owl")[at] for at in order]
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    assert [text.get_text() for text in axes.texts] == [*(str(support[at]) for at in order), "images"]
    assert figure.texts[2].get_text() == f"mean F1 {f1.mean():.3f} of 4 classes"


def test_a_class_without_images_comes_last_and_has_no_bar():
    scored = made_up(("cat", "dog", "fox"), absent=0)
    axes = f1_figure(scored.metrics, scored.title).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()][-1] == "cat"
    assert len(axes.patches) == 2
    assert axes.texts[2].get_text() == "no images"


def test_of_very_many_classes_the_lowest_are_shown():
    scored = made_up(numbered(300), images=3000)
    figure = f1_figure(scored.metrics, scored.title)
    shown = sorted(one.f1 for one in scored.metrics.per_class if one.support)[:120]
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx(shown)
    assert "of which the 120 lowest are shown" in figure.texts[2].get_text()

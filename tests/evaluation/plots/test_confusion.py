"""The confusion matrix as a picture: its numbers, and that any matrix is whole and readable."""

import numpy as np
import pytest

from cnnctl.evaluation.plots.classes import _percent, confusion_figure
from tests.evaluation.plots.build import made_up, numbered


def written(figure):
    return {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in figure.axes[0].texts
    }


def test_counts_and_shares_are_those_of_the_metrics():
    metrics = made_up(("cat", "dog", "fox")).metrics
    counts = np.array(metrics.confusion_matrix)
    figure = confusion_figure(metrics, "three", normalised=False)
    assert written(figure) == {place: f"{count:,}" for place, count in np.ndenumerate(counts) if count}
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), counts)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["cat", "dog", "fox"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("predicted class", "true class")
    shares = counts / counts.sum(axis=1, keepdims=True)
    figure = confusion_figure(metrics, "three", normalised=True)
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), shares)
    assert np.array([float(text) for text in written(figure).values()]).sum() == pytest.approx(300, abs=0.5)
    assert [text.get_text() for text in figure.texts] == [
        "Confusion matrix, % of each true class",
        "three",
        f"accuracy {metrics.accuracy:.1%} of 400 images",
    ]


def test_of_many_cells_the_largest_are_written_and_the_picture_says_so():
    metrics = made_up(numbered(100), images=6000).metrics
    counts = np.array(metrics.confusion_matrix)
    figure = confusion_figure(metrics, "many", normalised=False)
    shown = written(figure)
    least = min(counts[place] for place in shown) - 1
    assert len(shown) == (counts > least).sum() <= 400
    assert f"numbers above {least} are written in" in figure.texts[2].get_text()
    assert len(figure.axes[0].get_yticklabels()) == 100
    figure = confusion_figure(made_up(numbered(300)).metrics, "very many", normalised=True)
    assert len(figure.axes[0].get_yticklabels()) == 150  # every second name


def test_a_class_without_images_has_a_grey_row():
    metrics = made_up(numbered(4), absent=2).metrics
    figure = confusion_figure(metrics, "one absent", normalised=True)
    rows = np.ma.getmaskarray(np.ma.masked_invalid(figure.axes[0].images[0].get_array())).all(axis=1)
    assert rows.tolist() == [False, False, True, False]
    assert "grey rows: no images" in figure.texts[2].get_text()


@pytest.mark.parametrize(
    ("share", "fine", "text"),
    [
        (1, True, "100"),
        (0.9999, True, ">99.9"),
        (0.9999, False, ">99"),
        (0.5, False, "50"),
        (0.123, True, "12.3"),
        (0.0001, True, "<0.1"),
        (0.0001, False, "<1"),
    ],
)
def test_percentages_do_not_call_little_nothing(share, fine, text):
    assert _percent(share, fine) == text

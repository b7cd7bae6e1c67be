"""The curves of a training: the lines of history.csv, the best epoch, and histories with little in them."""

import math

import numpy as np
import pytest

from cnnctl.evaluation.plots.curves import History, curves_figure, history_of
from cnnctl.pictures import style
from cnnctl.system import files

LOSS, VAL_LOSS = [2.0, 1.0, 0.5], [2.1, 1.4, 1.5]
ACCURACY, VAL_ACCURACY = [0.2, 0.5, 0.8], [0.25, 0.4, 0.45]
RATES = [0.001, 0.0005, 0.0001]
FIGURES = {
    "accuracy": ACCURACY,
    "loss": LOSS,
    "val_accuracy": VAL_ACCURACY,
    "val_loss": VAL_LOSS,
    "learning_rate": RATES,
}


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_what_is_drawn_is_history_csv(tmp_path):
    rows = [(epoch + 1, *(values[epoch] for values in FIGURES.values())) for epoch in range(3)]
    files.write_csv(tmp_path / "history.csv", ("epoch", *FIGURES), rows)
    history = history_of(files.read_rows((tmp_path / "history.csv").open("rb")), best_epoch=2, planned=10)
    figure = curves_figure(history, "digits 3")
    loss, accuracy, rate = figure.axes
    for axes, training, validation in ((loss, LOSS, VAL_LOSS), (accuracy, ACCURACY, VAL_ACCURACY)):
        drawn = lines(axes)
        assert drawn["training"].get_ydata().tolist() == training
        assert drawn["validation"].get_ydata().tolist() == validation
        assert drawn["validation"].get_xdata().tolist() == [1, 2, 3]
        assert list(drawn["best epoch 2: its weights are kept"].get_xdata()) == [2, 2]
        assert drawn["_best"].get_ydata() == [validation[1]]
    assert lines(rate)["training"].get_ydata().tolist() == RATES
    assert "validation" not in lines(rate)
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy", "learning rate, end of epoch"]
    assert [text.get_text() for text in figure.texts] == [
        "Training",
        "digits 3",
        "3 epochs of 10, stopped early; epoch 2 is kept: validation loss 1.4, validation accuracy 40.0%",
    ]


def test_one_epoch_without_validation():
    figure = curves_figure(History({"accuracy": [0.5], "loss": [1.25], "learning_rate": [0.1]}, 1, 1), "short 1")
    drawn = lines(figure.axes[0])
    assert set(drawn) == {"training", "epoch 1: its weights are kept", "_best"}
    assert drawn["training"].get_marker() == "o"  # a line through one point would not be seen
    facts = "1 epoch; epoch 1 is kept: loss 1.25, accuracy 50.0%; there is no validation split"
    assert figure.texts[2].get_text() == facts
    assert style.png(figure)


@pytest.mark.parametrize("values", [[math.nan] * 3, [math.inf, 1.0, 2.0], [1e30, 1.0, 1e-30], [0.0] * 3, [-1.0] * 3])
def test_figures_that_are_no_numbers_or_far_apart(values):
    history = History({**FIGURES, "loss": values, "val_loss": values, "learning_rate": values}, 0, 3)
    figure = curves_figure(history, "odd 1")
    assert style.png(figure)
    np.testing.assert_array_equal(lines(figure.axes[0])["validation"].get_ydata(), style.finite(values))
    assert (figure.axes[0].get_yscale() == "log") == (min(values) > 0 and 50 < max(values) / min(values) < math.inf)

"""The reliability diagram against scikit-learn's calibration curve and the expected calibration error."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from cnnctl.evaluation.calibration import CALIBRATION_BINS, calibration
from cnnctl.evaluation.plots.probabilities import reliability_figure
from tests.evaluation.plots.build import made_up


def test_bars_are_the_calibration_curve():
    scored = made_up(("cat", "dog", "fox"), images=1000)
    found = calibration(scored.probabilities, scored.truth)
    figure = reliability_figure(found, scored.title)
    upper, lower = figure.axes
    right = scored.probabilities.argmax(axis=1) == scored.truth
    confidence = scored.probabilities.max(axis=1)
    accuracy, means = calibration_curve(right, confidence, n_bins=CALIBRATION_BINS)
    assert [bar.get_height() for bar in upper.patches] == pytest.approx(accuracy.tolist())
    dots = next(line for line in upper.lines if "mean" in line.get_label())
    np.testing.assert_allclose(dots.get_xdata(), means, atol=1e-6)
    np.testing.assert_allclose(dots.get_ydata(), accuracy)
    assert sum(bar.get_height() for bar in lower.patches) == 1000
    gaps = np.abs(np.subtract(accuracy, means)) * found.images[found.images > 0]
    assert gaps.sum() / 1000 == pytest.approx(scored.metrics.expected_calibration_error, abs=1e-6)
    facts = figure.texts[2].get_text()
    assert facts.startswith(f"expected calibration error {scored.metrics.expected_calibration_error:.3f}; ")
    assert facts.endswith(f"mean probability {confidence.mean():.1%}, accuracy {scored.metrics.accuracy:.1%}")

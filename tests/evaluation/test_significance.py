"""McNemar's test and Holm's correction against scipy and against figures worked out by others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from cnnctl.evaluation.significance import FEW, holm, mcnemar


@pytest.mark.parametrize(("b", "c"), [(b, n - b) for n in range(1, FEW) for b in range(n + 1)])
def test_few_pairs_have_the_exact_probability(b: int, c: int) -> None:
    assert mcnemar(b, c) == pytest.approx(binomtest(b, b + c).pvalue, rel=1e-12)


@pytest.mark.parametrize(("b", "c"), [(25, 0), (13, 12), (12, 13), (20, 20), (37, 12), (0, 300), (5000, 5300)])
def test_many_pairs_have_the_corrected_chi_square(b: int, c: int) -> None:
    expected = chi2.sf(max(abs(b - c) - 1, 0) ** 2 / (b + c), df=1)
    assert mcnemar(b, c) == pytest.approx(expected, rel=1e-9)


def test_textbook_cases() -> None:
    """Agresti, Categorical Data Analysis: 150 and 86 of 1,600 voters changed their minds, (64 - 1)^2 / 236 = 16.82."""
    assert mcnemar(150, 86) == pytest.approx(chi2.sf(16.818, df=1), rel=1e-3)
    assert mcnemar(150, 86) == pytest.approx(4.115e-5, rel=1e-3)  # R: mcnemar.test(matrix(c(794, 86, 150, 570), 2))
    assert mcnemar(1, 5) == 0.21875  # 2 (1 + 6) / 64


def test_no_difference_is_no_evidence() -> None:
    assert mcnemar(0, 0) == 1
    assert mcnemar(7, 7) == 1
    assert mcnemar(700, 700) == 1


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_is_a_probability_and_has_no_favourite(b: int, c: int) -> None:
    assert mcnemar(b, c) == mcnemar(c, b)
    assert 0 <= mcnemar(b, c) <= 1


def test_the_two_ways_meet() -> None:
    for b in range(FEW):
        assert mcnemar(b, FEW - b) == pytest.approx(binomtest(b, FEW).pvalue, abs=0.02)


def test_holm() -> None:
    """By hand, and statsmodels.stats.multitest.multipletests(..., method="holm")."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.25, 0.125]) == (0.25, 0.25)
    assert holm([0.9, 0.6, 0.02]) == pytest.approx((1.0, 1.0, 0.06))
    assert holm([0.03]) == (0.03,)
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_below_bonferroni(probabilities: list[float]) -> None:
    raised = holm(probabilities)
    for before, after in zip(probabilities, raised, strict=True):
        assert before <= after <= min(1.0, before * len(probabilities)) + 1e-12
    for one, other in zip(probabilities, raised, strict=True):
        assert all(other <= raised[k] for k, p in enumerate(probabilities) if p > one)

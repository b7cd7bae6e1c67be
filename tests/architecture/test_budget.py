import pytest

from cnnctl.architecture.budget import limits
from cnnctl.config.budget import Budget
from tests.architecture.build import plan
from tests.config.build import config, problem, with_model

SMALL = ("conv2d: {filters: 2, kernel_size: 3}", "flatten")
PARAMS, WORK = (9 * 2 + 2) + (4 * 4 * 2 * 3 + 3), 4 * 4 * 9 * 2 + 4 * 4 * 2 * 3
"""Of SMALL for grey images of 6x6 and three classes."""


def small():
    return plan(*SMALL, shape=(6, 6, 1), classes=3)


def test_the_limits_themselves_are_kept():
    budget = Budget(parameters=PARAMS, multiply_adds=WORK, weights_megabytes=4 * PARAMS / 1e6)
    assert [one.is_kept for one in limits(small(), budget)] == [True] * 3
    assert [one.cost for one in limits(small(), budget)] == [PARAMS, WORK, 4 * PARAMS / 1e6]
    tight = Budget(parameters=PARAMS - 1, multiply_adds=WORK - 1, weights_megabytes=(4 * PARAMS - 1) / 1e6)
    assert [one.is_kept for one in limits(small(), tight)] == [False] * 3


def test_what_is_not_set_is_no_limit():
    assert list(limits(small(), Budget(latency_ms=3))) == []


def test_each_view_of_an_image_counts():
    (one,) = limits(small(), Budget(multiply_adds=WORK), views=2)
    assert one.cost == 2 * WORK
    assert not one.is_kept
    assert one.told == f"{2 * WORK} of {WORK} multiply-adds"


def test_the_dearest_layer_is_named():
    (one,) = limits(small(), Budget(parameters=1))
    assert one.largest == f"dense has {100 * 99 / PARAMS:.1f}% of them"


def test_digits_may_be_grouped():
    found = config(with_model("flatten", rest="budget: {parameters: 200_000, multiply_adds: 1_234_567}\n")).budget
    assert found == Budget(parameters=200_000, multiply_adds=1_234_567)


@pytest.mark.parametrize("value", ["2_00", "_200", "0", "-1", "1.5", "many", "200_0000"])
def test_what_is_no_number(value):
    found = problem(with_model("flatten", rest=f"budget: {{parameters: {value}}}\n"))
    assert (found.path, found.position.line) == ("budget.parameters", 2)

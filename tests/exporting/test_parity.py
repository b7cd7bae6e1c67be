"""The gate: what is measured, and what is let through."""

import math
from dataclasses import replace

import numpy as np
import pytest

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.errors import DataError
from cnnctl.exporting.parity import Labelled, Limits, Parity, compare, limits_for
from tests.inference.build import paint

SPEC = ImageSpec(4, 4)
GOOD = Parity("model.onnx", "validation", 100, 0.01, 0.99, 0.9, 0.9, Limits())


def by_counting(images: int, share: float) -> int:
    """The smallest count that a binomial distribution stays at or below with a probability of 0.95."""
    total = 0.0
    for count in range(images + 1):
        ways = math.lgamma(images + 1) - math.lgamma(count + 1) - math.lgamma(images - count + 1)
        total += math.exp(ways + count * math.log(share) + (images - count) * math.log1p(-share))
        if total >= 0.95:
            return count
    return images


@pytest.mark.parametrize("images", [1, 5, 6, 50, 168, 359, 1000, 10_000])
@pytest.mark.parametrize("points", [0.5, 1, 30])
def test_int8_may_lose_what_chance_may_take(images, points):
    limits = limits_for("int8", images, points)
    assert limits.largest_difference is None
    assert round(limits.accuracy_drop * images) == by_counting(images, points / 100)
    assert round(limits.different_answers * images) == by_counting(images, 2 * points / 100)


def test_the_ends_of_what_may_be_lost():
    assert limits_for("int8", 7, 0) == Limits(None, 0, 0)
    assert limits_for("int8", 7, 100) == Limits(None, 1, 1)
    assert limits_for("int8", 100, 60).different_answers == 1


def test_floats_keep_their_probabilities():
    assert limits_for(None, 50, 1) == Limits(1e-3)
    assert limits_for("float16", 50, 1) == Limits(1e-2)


@pytest.mark.parametrize(
    ("limits", "changes", "said"),
    [
        (Limits(0.01), {}, None),
        (Limits(0.01), {"largest_difference": 0.0123}, "by up to 0.0123, and 0.01 is the limit"),
        (Limits(), {"largest_difference": math.nan}, "its probabilities are NaN or infinite"),
        (Limits(), {"largest_difference": math.inf}, "its probabilities are NaN or infinite"),
        (Limits(None, 0.01, 0.02), {"accuracy": 0.89}, None),
        (Limits(None, 0.01, 0.02), {"accuracy": 1.0}, None),
        (
            Limits(None, 0.01, 0.02),
            {"accuracy": 0.88},
            "its accuracy is 88.0%, that of model.onnx 90.0%, and 1 points are the limit",
        ),
        (Limits(None, 0.01, 0.02), {"equal_answers": 0.98}, None),
        (
            Limits(None, 0.01, 0.02),
            {"equal_answers": 0.97},
            "it agrees with model.onnx on 97.0%, and 98.0% is the limit",
        ),
    ],
)
def test_what_is_refused(limits, changes, said):
    fault = replace(GOOD, limits=limits, **changes).fault()
    if said is None:
        assert fault is None
    else:
        assert fault is not None
        assert fault.startswith("on 100 validation images ")
        assert fault.endswith(said)


@pytest.fixture
def greys(tmp_path):
    """150 images of one grey each, 0 to 149: more than a batch."""
    paths = tuple(paint(tmp_path / f"{value:03}.png", value, value, value) for value in range(150))
    return Labelled("test", paths, np.arange(150) % 2)


def answering(wrong=(), shift=0.0, broken=()):
    """A model that says odd or even, with 0.75; for `wrong` greys the other, and `broken` ones get NaN."""

    def predict(images):
        values = images[:, 0, 0, 0].astype(int)
        odd = (values % 2 == 1) ^ np.isin(values, wrong)
        second = np.where(odd, 0.75, 0.25).astype(np.float32) + np.float32(shift)
        second[np.isin(values, broken)] = np.nan
        return np.stack([1 - second, second], axis=1)

    return predict


def test_figures_are_those_of_all_images(greys):
    seen = []
    parity = compare(
        answering(wrong=(0, 1, 149)),
        answering(wrong=(1, 2, 100, 101)),
        greys,
        SPEC,
        "model.onnx",
        Limits(),
        lambda *news: seen.append(news),
    )
    assert (parity.images, parity.split, parity.reference) == (150, "test", "model.onnx")
    assert parity.reference_accuracy == 147 / 150
    assert parity.accuracy == 146 / 150
    assert parity.accuracy_change == pytest.approx(-1 / 150)
    assert parity.equal_answers == 145 / 150
    assert parity.largest_difference == 0.5
    assert seen[-1] == (150, 150)
    assert len(seen) > 1


def test_a_small_shift_is_measured(greys):
    parity = compare(answering(), answering(shift=0.125), greys, SPEC, "it", Limits(), lambda *_: None)
    assert (parity.largest_difference, parity.equal_answers) == (0.125, 1)


@pytest.mark.parametrize("broken", [0, 149])
def test_one_number_that_is_none_is_not_forgotten(greys, broken):
    parity = compare(answering(), answering(broken=(broken,)), greys, SPEC, "it", Limits(), lambda *_: None)
    assert math.isnan(parity.largest_difference)
    assert parity.fault() is not None


def test_one_unit_of_a_sigmoid_is_two_classes(greys):
    def one_unit(images):
        return answering(wrong=(7,))(images)[:, 1:]

    parity = compare(answering(), one_unit, greys, SPEC, "it", Limits(), lambda *_: None)
    assert (parity.equal_answers, parity.largest_difference) == (149 / 150, 0.5)


def test_an_image_that_is_gone_is_named(greys, tmp_path):
    (tmp_path / "140.png").unlink()
    with pytest.raises(DataError, match=r"140\.png: there is no such file"):
        compare(answering(), answering(), greys, SPEC, "it", Limits(), lambda *_: None)

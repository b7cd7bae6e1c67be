"""The confusion matrix as a picture: whole, readable for any number of classes, and for any name."""

import numpy as np
import pytest

from cnnctl.data.headers import image_format, is_truncated
from cnnctl.data.images import upright
from cnnctl.evaluation.metrics import Metrics, score
from cnnctl.evaluation.plots import confusion_matrix_png

ODD = (
    "costs $5 and $6",
    "$\\frac{$",
    "\\$",
    "two\nlines\tand a tab",
    "a very long name " * 20,
    "größer",
    "猫",
    "🐈",
    "_under^score_",
    "",
    "no",
    "bell\x07",
    "no utf-8 \udcff",
)


def metrics_of(names: tuple[str, ...], images: int = 400) -> Metrics:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, len(names), images)
    chances = generator.dirichlet(np.full(len(names), 0.2), images)
    chances[np.arange(images), truth] += 0.7
    return score((chances / chances.sum(axis=1, keepdims=True)).astype(np.float32), truth, names)


def numbered(count: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(count))


PICTURES = {
    "2 classes": (("cat", "dog"), "cats 1, test images"),
    "10 digits": (tuple("0123456789"), "digits 1, test images"),
    "100 classes": (numbered(100), "many 1, test images"),
    "a long title": (("a", "b"), "a-rather-long-name-of-a-config-that-someone-wrote 12, validation images"),
    "odd names": (ODD, "odd $1 and $2, test images of $\\frac{$"),
}


@pytest.mark.parametrize(("names", "title"), PICTURES.values(), ids=PICTURES)
def test_any_matrix_is_a_whole_png(names, title):
    content = confusion_matrix_png(metrics_of(names), title)
    assert image_format(content) == "PNG"
    assert not is_truncated(content, "PNG")
    pixels = upright(content)[:, :, :3]
    edges = (pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:])
    assert all((edge == 255).all() for edge in edges)  # nothing is cut off
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50  # ink, in many shades


def test_equal_figures_give_equal_pictures():
    first, second = (confusion_matrix_png(metrics_of(("a", "b")), "twice") for _ in range(2))
    assert first == second
    assert first != confusion_matrix_png(metrics_of(("a", "c")), "twice")

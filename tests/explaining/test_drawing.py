"""The pictures of explanations: nothing leaves them, whatever the network's size and the classes' names."""

import numpy as np
import pytest

from cnnctl.architecture import make_plan
from cnnctl.explaining import drawing
from cnnctl.models.of_run import FeatureMaps
from cnnctl.pictures import style
from tests.config.build import layers
from tests.evaluation.plots.build import ODD, numbered
from tests.pictures.look import assert_all_inside

TITLE = "a photo with a long name " * 8 + ".jpeg, digits 3"


@pytest.fixture(autouse=True)
def _drawing():
    with style.drawing():
        yield


@pytest.mark.parametrize("names", [("no", "yes"), ODD, numbered(100)])
def test_probabilities(names):
    chances = np.random.default_rng(0).dirichlet(np.full(len(names), 0.2)).astype(np.float32)
    figure = drawing.probabilities_figure(names, chances, TITLE)
    assert_all_inside(figure)
    bars = [patch.get_width() for patch in figure.axes[0].patches]
    assert bars == sorted(chances.tolist(), reverse=True)[: drawing.MOST_BARS]
    certain = np.eye(len(names), dtype=np.float32)[0]
    assert_all_inside(drawing.probabilities_figure(names, certain, TITLE))


@pytest.mark.parametrize("shape", [(1, 1, 120), (28, 28, 1), (3, 200, 7), (300, 2, 65), (1, 1, 1)])
@pytest.mark.parametrize("offset", [0.0, -0.5])
def test_feature_maps(shape, offset):
    item = f"conv2d: {{filters: {shape[2]}, kernel_size: 1}}"
    (row,) = make_plan(layers(item), (*shape[:2], 3), None).layers
    values = np.random.default_rng(0).random(shape, np.float32) + offset
    assert_all_inside(drawing.maps_figure(FeatureMaps.of(row, values), TITLE))
    assert_all_inside(drawing.maps_figure(FeatureMaps.of(row, np.zeros(shape, np.float32)), TITLE))


@pytest.mark.parametrize("shape", [(3, 3, 3, 32), (5, 5, 1, 6), (1, 1, 3, 1), (11, 11, 3, 96), (1, 7, 1, 8)])
def test_kernels(shape):
    assert_all_inside(
        drawing.kernels_figure("conv2d", np.random.default_rng(0).normal(size=shape).astype(np.float32), TITLE)
    )


@pytest.mark.parametrize("size", [(330, 330), (330, 40), (20, 330)])
@pytest.mark.parametrize("count", [1, 10])
def test_class_maps(size, count):
    picture = np.full((*size, 3), 90, np.uint8)
    heat = np.zeros((3, 4), np.float32)
    heat[0, 3] = 2
    maps = [(name, heat if number % 2 == 0 else heat * 0) for number, name in enumerate(numbered(count))]
    figure = drawing.cam_figure(picture, maps, "made of the 3x4 places of conv2d", "Grad-CAM", TITLE)
    assert_all_inside(figure)
    assert len(figure.images) == 1
    pixels = np.asarray(figure.images[0].get_array()).astype(int)
    left = round((style.MARGIN + drawing._PICTURE + 0.25) * style.DPI)  # where the first map lies
    top = round((style.HEAD + 0.05) * style.DPI)
    width = round(drawing._PICTURE * style.DPI)
    first = pixels[top : top + size[0], left + (width - size[1]) // 2 : left + (width - size[1]) // 2 + size[1]]
    right, lower = first[: size[0] // 4, -size[1] // 5 :], first[-size[0] // 4 :, : size[1] // 2]
    assert right.mean() > lower.mean() + 20


@pytest.mark.parametrize("window", [((0, 8), (0, 8)), ((0, 5), (2, 8)), ((7, 8), (7, 8)), ((0, 0), (0, 0))])
def test_receptive_fields(window):
    picture = np.random.default_rng(0).integers(0, 256, (330, 330, 3)).astype(np.uint8)
    assert_all_inside(drawing.field_figure(picture, (8, 8), window, (8, 8), "conv2d, row 0, column 3", TITLE))


def test_the_frame_is_where_the_window_is():
    picture = np.zeros((220, 330, 3), np.uint8)
    figure = drawing.field_figure(picture, (6, 9), ((1, 3), (4, 9)), (2, 5), "conv2d", "x")
    pixels = np.asarray(figure.images[0].get_array())
    top, left = round((style.HEAD + 0.05) * style.DPI), round(style.MARGIN * style.DPI)
    shown = pixels[top : top + 220, left : left + 330]
    rows, columns = np.nonzero((shown == (213, 94, 0)).all(axis=2))
    scale = 330 / 9
    assert [rows.min() / scale, (rows.max() + 1) / scale] == pytest.approx([1, 3], abs=0.08)
    assert [columns.min() / scale, (columns.max() + 1) / scale] == pytest.approx([4, 9], abs=0.08)
    assert (shown[round(1.5 * scale), round(6 * scale)] == 0).all()
    assert (shown[round(4.5 * scale), round(2 * scale)] > 100).all()

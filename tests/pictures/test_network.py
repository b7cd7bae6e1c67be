"""The drawing of a network: its volumes to scale, its texts inside the picture and apart from each other."""

import pytest
from matplotlib.patches import Polygon

from cnnctl.architecture import make_plan
from cnnctl.layers.output import SIGMOID
from cnnctl.pictures.network import MOST_VOLUMES, network_figure
from tests.config.build import layers
from tests.pictures.look import assert_all_inside

LENET = (
    "conv2d: {filters: 6, kernel_size: 5, activation: tanh}",
    "average_pooling2d: {pool_size: 2}",
    "conv2d: {filters: 16, kernel_size: 5, strides: 2}",
    "dropout: {rate: 0.25}",
    "flatten",
    "dense: {units: 84, activation: relu}",
)


def drawn(figure):
    """(front face's width, height, depth's slant) in inches of every volume, from left to right."""
    boxes = []
    patches = [one for one in figure.axes[0].patches if isinstance(one, Polygon)]
    for patch in patches:
        corners = patch.get_xy()
        across, up = corners[:, 0], corners[:, 1]
        if len({round(x, 6) for x in across}) == 2 and len({round(y, 6) for y in up}) == 2:
            boxes.append([across.max() - across.min(), up.max() - up.min(), 0.0])
        else:
            boxes[-1][2] = max(boxes[-1][2], corners[1][0] - corners[0][0] if corners[0][1] != corners[1][1] else 0.0)
    return boxes


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_boxes_are_to_scale():
    plan = make_plan(layers(*LENET), (28, 32, 1), 10)
    image, first, pooled, second, flat, dense, output = drawn(network_figure(plan, "LeNet"))
    assert [row.output_shape for row in plan.layers][:2] == [(24, 28, 6), (12, 14, 6)]
    assert first[1] / image[1] == pytest.approx(24 / 28)
    assert first[2] / image[2] == pytest.approx(28 / 32)
    assert image[1] / (image[2] / 0.354) == pytest.approx(28 / 32)
    assert pooled[1] / first[1] == pytest.approx(1 / 2)
    assert second[0] / first[0] == pytest.approx(16 / 6)
    assert flat[1] / dense[1] == pytest.approx(plan.layers[-3].output_shape[0] / 84)
    assert output[1] == pytest.approx(output[0])  # no bar is shorter than it is wide
    assert flat[2] == dense[2] == output[2] == 0


def test_what_is_written():
    plan = make_plan(layers(*LENET), (28, 32, 1), 10)
    said = texts(network_figure(plan, "LeNet"))
    for line in ("image", "28x32x1", "5x5, tanh", "156 parameters", "5x5, stride 2", "dropout 0.25", "84", "softmax"):
        assert line in said, line
    assert sum(line == "conv2d" for line in said) == 2


def test_a_network_without_any_convolution_and_a_sigmoid():
    plan = make_plan(layers("flatten"), (8, 8, 3), 2, SIGMOID)
    figure = network_figure(plan, "x")
    assert len(drawn(figure)) == 3
    assert {"flatten", "192", "dense", "sigmoid", "1"} <= set(texts(figure))


@pytest.mark.parametrize("times", [3, 30, 400])
def test_texts_neither_overlap_nor_leave_the_picture(times):
    unit = f"repeat: {{times: {times}, layers: [{{conv2d: {{filters: 512, kernel_size: 3, padding: same}}}}, "
    unit += "batch_normalization, {activation: {activation: relu}}]}"
    plan = make_plan(layers(unit, "global_average_pooling2d"), (64, 48, 3), 100)
    figure = network_figure(plan, "a name that is very long " * 20)
    assert len(drawn(figure)) <= MOST_VOLUMES + 1
    if times == 400:
        assert f"… {times + 3 - MOST_VOLUMES} volumes" in texts(figure)
    assert_all_inside(figure)


def test_many_layers_upon_one_volume():
    many = "repeat: {times: 500, layers: [{dropout: {rate: 0.1}}]}"
    figure = network_figure(make_plan(layers(many, "flatten"), (8, 8, 3), 2), "x")
    assert_all_inside(figure)
    assert figure.get_size_inches()[1] < 8
    assert "… and more" in texts(figure)

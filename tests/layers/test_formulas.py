import math
import re

import pytest

from tests.architecture.build import plan
from tests.config.build import EVERY_LAYER, layer_item


def lines_of(item: str, shape=(32, 32, 3)) -> list[str]:
    (layer,) = plan(item, shape=shape).layers
    return layer.formulas()


@pytest.mark.parametrize(
    ("item", "shape", "lines"),
    [
        (
            "conv2d: {filters: 10, kernel_size: 3}",
            (32, 32, 3),
            [
                "height: floor((32 - 3 + 0) / 1) + 1 = 30",
                "width: floor((32 - 3 + 0) / 1) + 1 = 30",
                "parameters: 3 * 3 * 3 * 10 + 10 biases = 280",
            ],
        ),
        (
            "conv2d: {filters: 4, kernel_size: 3, padding: [[1, 2], [0, 0]], strides: [2, 1], use_bias: false}",
            (9, 8, 1),
            [
                "height: floor((9 - 3 + 3) / 2) + 1 = 5",
                "width: floor((8 - 3 + 0) / 1) + 1 = 6",
                "parameters: 3 * 3 * 1 * 4 = 36",
            ],
        ),
        (
            "max_pooling2d: {pool_size: 2, padding: same}",
            (33, 32, 3),
            ["height: ceil(33 / 2) = 17", "width: ceil(32 / 2) = 16"],
        ),
        ("zero_padding2d: {padding: [[1, 2], [3, 4]]}", (5, 6, 1), ["height: 5 + 1 + 2 = 8", "width: 6 + 3 + 4 = 13"]),
        ("flatten", (4, 5, 6), ["features: 4 * 5 * 6 = 120"]),
        ("global_max_pooling2d", (4, 5, 6), ["features: one for each of 6 channels of 4x5"]),
        (
            "batch_normalization",
            (4, 4, 6),
            ["parameters: 4 * 6 = 24, of which 12 moving means and variances are not trained"],
        ),
        ("layer_normalization: {scale: false}", (4, 4, 6), ["parameters: 1 * 6 = 6"]),
        ("dropout: {rate: 0.5}", (4, 4, 6), []),
    ],
)
def test_formulas_by_hand(item, shape, lines):
    assert lines_of(item, shape) == lines


ITEMS = [
    *(layer_item(*item) for item in EVERY_LAYER.items() if item[0] not in ("repeat", "dense", "backbone")),
    *(
        f"{kind}, {more}}}"
        for kind in (
            "conv2d: {filters: 6, kernel_size: [2, 3]",
            "depthwise_conv2d: {kernel_size: [2, 3]",
            "separable_conv2d: {filters: 5, kernel_size: [2, 3]",
        )
        for more in (
            "strides: 3",
            "padding: same, strides: 2",
            "padding: [[1, 2], [0, 4]]",
            "dilation_rate: [2, 3]",
            "use_bias: false",
            "padding: 2, dilation_rate: 2",
        )
    ),
    "conv2d: {filters: 6, kernel_size: 3, groups: 3}",
    "separable_conv2d: {filters: 6, kernel_size: 3, depth_multiplier: 4}",
    "average_pooling2d: {pool_size: [3, 2], strides: [1, 4]}",
]


@pytest.mark.parametrize("item", ITEMS)
@pytest.mark.parametrize("shape", [(17, 24, 3), (64, 9, 6)])
def test_each_formula_evaluates_to_what_it_claims_and_the_plan_says_the_same(item, shape):
    made = plan(item, "flatten", "dense: {units: 7}", shape=shape)
    for layer in made.layers:
        told = {"height": None, "width": None, "parameters": layer.params or None, "features": None}
        if len(layer.output_shape) == 3:
            told["height"], told["width"] = layer.output_shape[:2]
        else:
            told["features"] = layer.output_shape[0]
        for line in layer.formulas():
            match = re.fullmatch(r"(\w+): ([\d+*/() .,a-z-]+?)(?: biases)? = ([\d,]+)(, of which .*)?", line)
            if match is None:
                assert line.startswith("features: one for each of ")
                continue
            claimed = int(match[3].replace(",", ""))
            assert eval(match[2], {"floor": math.floor, "ceil": math.ceil}) == claimed == told[match[1]]


def test_the_formulas_of_every_kind_are_looked_at():
    lines = [line for item in ITEMS for line in lines_of(item, (17, 24, 3))]
    assert {line.split(":")[0] for line in lines} == {"height", "width", "parameters", "features"}
    assert sum("= " in line for line in lines) > 60

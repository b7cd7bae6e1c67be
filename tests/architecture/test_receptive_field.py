"""Receptive fields of single units, against the pixels that windows collect step by step."""

import pytest

from cnnctl.architecture import make_plan
from cnnctl.architecture.receptive_field import receptive_window
from tests.config.build import layers

STACKS = (
    ("conv2d: {filters: 2, kernel_size: 3}",),
    ("conv2d: {filters: 2, kernel_size: [3, 5], padding: same, strides: [2, 1]}",),
    ("conv2d: {filters: 2, kernel_size: 3, dilation_rate: 2, padding: same}", "max_pooling2d: {pool_size: 2}"),
    ("conv2d: {filters: 2, kernel_size: 4, padding: [[1, 2], [0, 3]]}", "batch_normalization"),
    ("zero_padding2d: {padding: [[2, 0], [1, 3]]}", "depthwise_conv2d: {kernel_size: 3}", "leaky_relu"),
    ("average_pooling2d: {pool_size: 3, strides: 2, padding: same}", "separable_conv2d: {filters: 3, kernel_size: 2}"),
    ("l2_pooling2d: {pool_size: [2, 3]}", "conv2d: {filters: 2, kernel_size: 3, padding: same}"),
)
SHAPE = (17, 23, 3)


def collected(plan, axis):
    """For each place of the last layer, the pixels along an axis that it sees; padding is no pixel."""
    seen = [{pixel} for pixel in range(SHAPE[axis])]
    for row in plan.layers:
        layer = row.layer
        before, after = row.zeros[axis]
        kernel = getattr(layer, "kernel_size", getattr(layer, "pool_size", (1, 1)))[axis]
        stride = (layer.steps if hasattr(layer, "steps") else getattr(layer, "strides", (1, 1)))[axis]
        spread = getattr(layer, "dilation_rate", (1, 1))[axis]
        if row.kind == "zero_padding2d":
            before, after = layer.padding[axis]
        elif getattr(layer, "padding", "valid") == "same":
            needed = (row.output_shape[axis] - 1) * stride + (kernel - 1) * spread + 1
            total = max(0, needed - len(seen))
            before, after = total // 2, total - total // 2
        seen = [set() for _ in range(before)] + seen + [set() for _ in range(after)]
        starts = range(0, len(seen) - (kernel - 1) * spread, stride)
        seen = [set().union(*(seen[start + tap * spread] for tap in range(kernel))) for start in starts]
    return seen


@pytest.mark.parametrize("stack", [*STACKS, STACKS[1] + STACKS[2], STACKS[6] + STACKS[1] + STACKS[5]])
def test_every_unit_sees_what_its_windows_collect(stack):
    plan = make_plan(layers(*stack), SHAPE, None)
    assert not plan.problems
    high, wide, _ = plan.layers[-1].output_shape
    rows, columns = collected(plan, 0), collected(plan, 1)
    assert (len(rows), len(columns)) == (high, wide)
    for row in range(high):
        for column in range(wide):
            spans = receptive_window(plan.layers, row, column)
            for (begin, end), pixels in zip(spans, (rows[row], columns[column]), strict=True):
                assert (begin, end) == ((min(pixels), max(pixels) + 1) if pixels else (0, 0))


def test_padding_is_no_part_of_the_image():
    plan = make_plan(layers("conv2d: {filters: 1, kernel_size: 5, padding: same}"), (8, 8, 1), None)
    assert receptive_window(plan.layers, 0, 7) == ((0, 3), (5, 8))
    plan = make_plan(layers("conv2d: {filters: 1, kernel_size: 2, padding: 3}"), (8, 8, 1), None)
    assert receptive_window(plan.layers, 0, 12) == ((0, 0), (0, 0))


def test_a_field_has_the_size_that_the_plan_names():
    plan = make_plan(layers(*STACKS[6], *STACKS[1]), (90, 90, 3), None)
    (top, bottom), (left, right) = receptive_window(plan.layers, 8, 12)
    assert (bottom - top, right - left) == plan.layers[-1].receptive_field

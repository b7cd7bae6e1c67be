import itertools

import pytest

from cnnctl.layers import Conv2D, arithmetic
from cnnctl.layers.window import State


def windows(size: int, kernel: int, stride: int, dilation: int = 1) -> list[list[int]]:
    """Every window that lies inside `size` pixels, tap by tap."""
    starts = range(0, size, stride)
    taps = [[start + tap * dilation for tap in range(kernel)] for start in starts]
    return [window for window in taps if window[-1] < size]


GRID = list(itertools.product(range(1, 14), (1, 2, 3, 5), (1, 2, 3), (0, 1, 3), (1, 2, 3)))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "output"),
    [
        (32, 5, 1, 0, 28),
        (32, 3, 1, 0, 30),
        (6, 3, 1, 0, 4),
        (32, 3, 1, 2, 32),
        (32, 2, 2, 0, 16),
        (300, 5, 1, 0, 296),
        (224, 7, 2, 6, 112),
        (3, 4, 4, 0, 0),
        (5, 2, 2, 0, 2),
        (1, 1, 1, 0, 1),
    ],
)
def test_output_sizes_by_hand(size, kernel, stride, padding, output):
    assert arithmetic.output_size(size, kernel, stride, padding) == output


def test_output_size_counts_the_windows():
    assert len(GRID) > 1000
    for size, kernel, stride, padding, dilation in GRID:
        found = len(windows(size + padding, kernel, stride, dilation))
        assert max(0, arithmetic.output_size(size, kernel, stride, padding, dilation)) == found


def test_unused_pixels_are_those_after_the_last_window():
    for size, kernel, stride, padding, dilation in GRID:
        found = windows(size + padding, kernel, stride, dilation)
        if found:
            unused = size + padding - 1 - found[-1][-1]
            assert arithmetic.unused_pixels(size, kernel, stride, padding, dilation) == unused


@pytest.mark.parametrize(("kernel", "dilation", "span"), [(3, 1, 3), (3, 2, 5), (1, 9, 1), (2, 3, 4), (5, 4, 17)])
def test_a_dilated_kernel_spans(kernel, dilation, span):
    assert arithmetic.effective_size(kernel, dilation) == span


@pytest.mark.parametrize(("size", "stride", "output"), [(32, 1, 32), (32, 2, 16), (33, 2, 17), (5, 7, 1), (1, 1, 1)])
def test_same_padding_starts_a_window_at_every_stride(size, stride, output):
    assert arithmetic.same_size(size, stride) == output == len(range(0, size, stride))


@pytest.mark.parametrize(
    ("layers", "field", "jump"),
    [
        ([(3, 1, 1)], 3, 1),
        ([(3, 1, 1), (3, 1, 1)], 5, 1),
        ([(3, 1, 1), (2, 2, 1), (3, 1, 1)], 8, 2),
        ([(7, 2, 1), (3, 2, 1)], 11, 4),
        ([(3, 1, 2)], 5, 1),
        ([(2, 2, 1), (2, 2, 1), (2, 2, 1)], 8, 8),
    ],
)
def test_receptive_fields_by_hand(layers, field, jump):
    grown = (1, 1)
    for kernel, stride, dilation in layers:
        grown = arithmetic.grow_receptive_field(*grown, kernel, stride, dilation)
    assert grown == (field, jump)


@pytest.mark.parametrize("layers", list(itertools.product([(1, 1), (2, 2), (3, 1), (5, 3)], repeat=3)))
def test_the_receptive_field_is_what_the_first_output_value_touches(layers):
    grown, touched = (1, 1), {0}
    for kernel, stride in layers:
        grown = arithmetic.grow_receptive_field(*grown, kernel, stride)
    for kernel, stride in reversed(layers):
        touched = {place * stride + tap for place in touched for tap in range(kernel)}
    assert grown[0] == max(touched) + 1


def test_parameters_by_hand():
    assert Conv2D(filters=10, kernel_size=(5, 5)).apply(State((8, 8, 3))).trainable == 760
    assert Conv2D(filters=6, kernel_size=(3, 1), groups=2, use_bias=False).apply(State((8, 8, 4))).trainable == 36
    assert arithmetic.dense_parameters(219_040, 1, True) == 219_041
    assert arithmetic.dense_parameters(7, 3, False) == 21

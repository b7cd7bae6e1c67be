"""The formulas of convolutional networks, in integers.

Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (https://arxiv.org/abs/1603.07285),
and the padding rules of TensorFlow (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2).
"""


def effective_size(kernel: int, dilation: int) -> int:
    """Pixels that a dilated kernel spans: `(F - 1) D + 1`. Example: `effective_size(3, 2) == 5`."""
    return (kernel - 1) * dilation + 1


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Output side for explicit padding: `floor((W - F_eff + P_total) / S) + 1`, 0 or less where nothing fits.

    W is the input's side, F the kernel's or window's, both in pixels, S the stride, P_total the zeros on both sides
    together, D the distance between the taps. Example: `output_size(32, 3, 1, 0) == 30`.
    """
    return (size - effective_size(kernel, dilation) + padding) // stride + 1


def same_size(size: int, stride: int) -> int:
    """Output side for `padding: same`: `ceil(W / S)`. Example: `same_size(33, 2) == 17`."""
    return -(-size // stride)


def same_padding(size: int, kernel: int, stride: int) -> int:
    """Zeros on both sides together for `padding: same`: `max((ceil(W / S) - 1) S + F_eff - W, 0)`; the odd one is last.

    `kernel` is what it spans, F_eff. Example: `same_padding(32, 3, 1) == 2`.
    """
    return max((same_size(size, stride) - 1) * stride + kernel - size, 0)


def unused_pixels(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Rows (or columns) at the far edge that no window reaches because the division is floored."""
    return (size - effective_size(kernel, dilation) + padding) % stride


def grow_receptive_field(field: int, jump: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """The receptive field and the jump after one more layer: `r + (F_eff - 1) j` and `j S`, in input pixels.

    Source: Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks"
    (https://distill.pub/2019/computing-receptive-fields).
    """
    return field + (effective_size(kernel, dilation) - 1) * jump, jump * stride


def dense_parameters(inputs: int, units: int, use_bias: bool) -> int:
    """Weights of a dense layer: `inputs units`, and one bias a unit."""
    return inputs * units + (units if use_bias else 0)

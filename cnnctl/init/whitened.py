"""The parts of a config for many small images in colour, after configs/cifar10-airbench.yaml.

Its poolings leave out the last row and column of odd sides; here zeros around the image, so that none is left out.
"""

from collections.abc import Iterator

from cnnctl.init.choose import Choices

_BLOCKS = (64, 256, 256)
_SHIFT = 2.5
"""Pixels: shifts are whole, so up to 2."""
_WHITENING = "kernel_size: 2, padding: same, use_bias: false, kernel_initializer: whitening, trainable: false"
_DIRAC = "kernel_size: 3, padding: same, use_bias: false, kernel_initializer: dirac"


def whitened_augment(choices: Choices) -> list[str]:
    """Of an image its mirror image in every second epoch, unless that may be another class, and small shifts."""
    flip = ["  - random_flip: {mode: horizontal, alternate: true}"] if choices.flips else []
    height, width = (f"{_SHIFT / side:.4g}" for side in (choices.height, choices.width))
    shift = f"height_factor: {height}, width_factor: {width}, interpolation: nearest, fill_mode: mirror"
    return [f"augment:  # {choices.reasons['flip']}", *flip, f"  - random_translation: {{{shift}}}"]


def whitened_model(choices: Choices) -> list[str]:
    """The model section, and the answer from several views, which is no part of the training."""
    views, times = ("flip: true, shift: 1", 6) if choices.flips else ("shift: 1", 3)
    lines = [
        f"model:  # {choices.reasons['model']}; the output layer is appended",
        f"  - conv2d: {{filters: 24, {_WHITENING}}}",
        "  - activation: {activation: gelu}",
    ]
    sides = (choices.height, choices.width)
    for filters in _BLOCKS:
        lines += _block(filters, sides)
        sides = (-(-sides[0] // 2), -(-sides[1] // 2))
    return [
        *lines,
        "  - global_max_pooling2d",
        "  - rescaling: {scale: 0.1111111}",
        "output: {use_bias: false}",
        f"test_time: {{{views}}}  # the answer is the mean over {times} views of an image",
    ]


def _block(filters: int, sides: tuple[int, int]) -> Iterator[str]:
    padding = ", padding: same" if sides[0] % 2 or sides[1] % 2 else ""
    normalization = "  - batch_normalization: {momentum: 0.6, epsilon: 1.0e-12, scale: false}"
    for pooling in ([f"  - max_pooling2d: {{pool_size: 2{padding}}}"], []):
        yield f"  - conv2d: {{filters: {filters}, {_DIRAC}}}"
        yield from pooling
        yield normalization
        yield "  - activation: {activation: gelu}"


def whitened_train() -> list[str]:
    """Lines of the train section."""
    sgd = "learning_rate: 1.5, momentum: 0.85, nesterov: true, weight_decay: 0.0089, bias_factor: 64"
    return [
        f"  optimizer: {{sgd: {{{sgd}}}}}",
        "  schedule: {one_cycle: {warmup_fraction: 0.23, begin: 0.2, end: 0.07, shape: linear}}",
        "  label_smoothing: 0.2",
        "  lookahead: {every: 5}",
    ]

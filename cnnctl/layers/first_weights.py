"""How the kernels of a convolution begin where Keras has no initializer for it, in numpy and float64."""

from collections.abc import Iterable

import numpy as np

from cnnctl.layers.compute import Values, windows
from cnnctl.layers.window import Window

_VALUES_AT_ONCE = 2**22


def dirac(kernel: Values, groups: int = 1) -> Values:
    """Kernels of which the first of each group pass its channels through, as far as there are both; the others stay.

    Such a kernel is 1 at one tap of one channel and 0 elsewhere. The tap is the middle one; of an even size the one
    that `padding: same` lays over the pixel itself. As torch.nn.init.dirac_ for odd sizes.

    Args:
        kernel: (height, width, channels of a group, kernels).
        groups: Into how many the kernels are divided.

    Example: of 3 kernels for 2 channels the first two pass them through, and the third is as it was.
    """
    height, width, channels, kernels = kernel.shape
    made, each = kernel.copy(), kernels // groups
    for group in range(groups):
        for channel in range(min(channels, each)):
            own = made[:, :, :, group * each + channel]
            own[...] = 0
            own[(height - 1) // 2, (width - 1) // 2, channel] = 1
    return made


def covariance(images: Iterable[Values], window: Window) -> Values:
    """That of the values of all whole patches of images (height, width, channels), one at each pixel.

    Returns:
        (values, values), the values of a patch in the order of a kernel: rows, columns, channels.
    """
    count, total, products = 0, np.zeros(()), np.zeros(())
    for image in images:
        for patches in _patches(image, window):
            count += len(patches)
            total = total + patches.sum(axis=0)
            products = products + patches.T @ patches
    found: Values = (products - np.outer(total, total) / count) / max(count - 1, 1)
    return found


def _patches(image: Values, window: Window) -> Iterable[Values]:
    """(patches, values) of some rows of an image after the other."""
    plain = Window(window.size, (1, 1), "valid", window.dilation, window.key, window.layer)
    taps = window.size[0] * window.size[1]
    spans = [(size - 1) * step for size, step in zip(window.size, window.dilation, strict=True)]
    step = max(1, _VALUES_AT_ONCE // (taps * image[0].size))
    for top in range(0, len(image) - spans[0], step):
        seen = windows(image[top : top + step + spans[0]], plain)
        yield seen.transpose(1, 2, 0, 3).reshape(-1, taps * image.shape[2])


def whitening(spread: Values, shape: tuple[int, ...], epsilon: float) -> Values:
    """Kernels whose outputs for the patches are uncorrelated, with a variance of about 1: of each an opposite one.

    They are eigenvectors of the covariance over sqrt(eigenvalue + epsilon), the largest eigenvalue first, then their
    negatives. Of fewer kernels than twice the values of a patch the last ones of both halves are missing.

    Args:
        spread: What `covariance` gives.
        shape: (height, width, channels, kernels).
        epsilon: Keeps the factors of directions finite in which patches hardly differ.
    """
    kernels = shape[-1]
    eigenvalues, vectors = np.linalg.eigh(spread)  # from the smallest
    filters = (vectors / np.sqrt(np.maximum(eigenvalues, 0) + epsilon)).T[::-1][: -(-kernels // 2)]
    largest = np.abs(filters).argmax(axis=1)
    filters = filters * np.sign(filters[np.arange(len(filters)), largest])[:, np.newaxis]  # a vector's sign is free
    both = np.concatenate([filters, -filters])[:kernels]
    made: Values = both.T.reshape(shape)
    return made

"""How many bits the samples of a decoded image have, and those samples in 8 bits.

OpenCV gives 16 bits for all that is deeper than 8, and most formats' values as the file has them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Level = tuple[int, int]
_BLOCK = 2**20  # samples that are converted at once, so that little memory is taken


def levels(data: bytes, file_format: str, pixels: Any) -> tuple[Level, ...]:
    """(black, white) in decoded pixels: one pair for all channels, or one for each in OpenCV's order.

    Raises:
        ValueError, struct.error, IndexError: the file contradicts itself.
    """
    full = int(np.iinfo(pixels.dtype).max)
    match file_format:
        case "PNM":
            from cnnctl.data.decoder import pnm

            return ((0, pnm.largest_value(data)),)
        case "AVIF":
            from cnnctl.data.decoder import av1

            bits = 8 if full == 255 else av1.deep_bits(data)
            if pixels.ndim == 2 and not av1.has_full_range(data):  # OpenCV leaves such grey as it is
                return ((16 << (bits - 8), 235 << (bits - 8)),)
            return ((0, 2**bits - 1),)
        case "TIFF" if full > 255:
            from cnnctl.data.decoder import tiff

            directory = tiff.first_directory(data)
            bits = tiff.bits_of(directory) if directory is not None else 16
            return ((0, (2**bits - 1) << (16 - bits)),)  # OpenCV shifts what is less than 16 bits
        case "JPEG 2000":
            from cnnctl.data.decoder import jpeg2000

            found = [(0, 2**bits - 1) for bits in jpeg2000.component_bits(data)]
            return tuple(found[:3][::-1] + found[3:])
    return ((0, full),)


def in_8_bits(pixels: Any, levels: Sequence[Level]) -> Any:
    """Samples from black to white as 0 to 255, rounded."""
    if pixels.dtype == np.uint8 and set(levels) == {(0, 255)}:
        return pixels
    values = np.arange(np.iinfo(pixels.dtype).max + 1)
    tables = [_table(values, *level) for level in levels]
    found = np.empty(pixels.shape, np.uint8)
    rows = max(1, _BLOCK // pixels[0].size)
    for top in range(0, len(pixels), rows):
        part, block = found[top : top + rows], pixels[top : top + rows]
        if len(set(levels)) == 1:
            part[:] = tables[0][block]
        else:
            for channel, table in enumerate(tables):
                part[..., channel] = table[block[..., channel]]
    return found


def _table(values: Any, black: int, white: int) -> Any:
    span = white - black
    return np.clip(((values - black) * 255 + span // 2) // span, 0, 255).astype(np.uint8)

"""How much memory the decoding of an image takes, and how much all threads may take together.

The figures are those of OpenCV 5.0, measured with images of 9 megapixels, and of libheif 1.23; what the decoder does
afterwards takes less.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cnnctl.data.decoder import headers
from cnnctl.data.decoder.refusals import ImageError

BYTES_OF_A_PIXEL = 16
"""What an image may take for each pixel that it may have: 1 GiB for 64 megapixels."""

_LEAST = 8  # bytes of a pixel: RGB, and what it is made of
NEVER_TOO_MUCH = 2**27  # bytes that one image may take in any case
SMALL = 2**24  # bytes that are not counted


class ByteBudget:
    """How many bytes the threads of this process may take for pixels at once; a single image always may."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, wanted: int, seconds: float | None = None) -> Iterator[None]:
        """A block that takes so many bytes; it waits for its turn.

        Raises:
            TimeoutError: it has waited for `seconds`.
        """
        if wanted < SMALL:
            yield
            return
        with self._changed:
            if not self._changed.wait_for(lambda: not self._taken or self._taken + wanted <= self._most, seconds):
                raise TimeoutError
            self._taken += wanted
        try:
            yield
        finally:
            with self._changed:
                self._taken -= wanted
                self._changed.notify_all()


def bytes_of(data: bytes, file_format: str, size: tuple[int, int]) -> int:
    """Bytes that the decoding of an image takes at once."""
    return size[0] * size[1] * max(_LEAST, bytes_of_a_pixel(data, file_format))


def refuse_above(max_pixels: int, wanted: int) -> None:
    """Refuse an image that takes more bytes than one of so many pixels may.

    Raises:
        ImageError: it takes more.
    """
    most = max(BYTES_OF_A_PIXEL * max_pixels, NEVER_TOO_MUCH)
    if wanted > most:
        raise ImageError(
            f"decoding it takes about {wanted / 2**30:.2f} GiB of memory, more than {most / 2**30:.2f} GiB",
            "data.image.max_megapixels raises the limit, or save it with 8 bits and without alpha channel",
        )


def bytes_of_a_pixel(data: bytes, file_format: str) -> int:
    """Bytes of memory for each pixel: its channels, their depth, and the copies of them that a decoder makes."""
    match file_format:
        case "JPEG":
            from cnnctl.data.decoder import jpeg

            return jpeg.bytes_of_a_pixel(data)
        case "PNG":
            alpha = data[25] in (4, 6) or headers.has_transparent_colours(data)
            channels = 4 if alpha else 1 if data[25] == 0 else 3
            return 1 + 2 * channels * (2 if data[24] == 16 else 1)
        case "TIFF":
            from cnnctl.data.decoder import tiff

            directory = tiff.first_directory(data)
            if directory is None or tiff.bits_of(directory) <= 8:
                return 13
            return 1 + 4 * directory.first(tiff.SAMPLES, 1)
        case "JPEG 2000":
            from cnnctl.data.decoder import jpeg2000

            bits = jpeg2000.component_bits(data)
            return 2 + len(bits) * (6 if max(map(abs, bits)) > 8 else 5)
        case "AVIF":
            from cnnctl.data.decoder import av1

            deep = any(frame.bits > 8 for frame in av1.frames(data))
            if b":auxiliary:alpha" in data:
                return 43 if deep else 35
            return 25 if deep else 20
        case "HEIC":
            from cnnctl.data.decoder import hevc

            deep = hevc.is_deep(data)
            if b":auxid:1" in data or b":auxiliary:alpha" in data:
                return 26 if deep else 18
            return 16 if deep else 13
        case "PNM":
            return 14 if data[1:2] in b"36" else 7
    return {"GIF": 9, "WebP": 13, "BMP": 9}[file_format]

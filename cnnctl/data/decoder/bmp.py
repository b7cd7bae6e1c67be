"""BMP files, header and pixels: OpenCV leaves out colour masks, OS/2's palettes and parts of run lengths.

Sources: Microsoft's BITMAPCOREHEADER, BITMAPINFOHEADER, BITMAPV4HEADER and BITMAPV5HEADER ("Bitmap Storage" and
"Bitmap Compression"); OS/2 2.0 Presentation Manager, BITMAPINFOHEADER2; the layouts in Jason Summers' bmpsuite.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnctl.data.decoder.refusals import ImageError

MAX_RUN_LENGTH_BYTES = 32_000_000
"""Of the pixels of a compressed BMP, whose codes are read one by one in Python: four seconds at most."""

_CUT_OFF = "the BMP file is cut off: its end is missing"

_CORE, _INFO, _OS2 = 12, 40, 64
_RGB, _RLE8, _RLE4, _MASKS, _JPEG, _PNG, _MASKS_WITH_ALPHA = range(7)
_BITS = {_RGB: (1, 2, 4, 8, 16, 24, 32), _RLE8: (8,), _RLE4: (4,), _MASKS: (16, 32), _MASKS_WITH_ALPHA: (16, 32)}
_EMBEDDED = {_JPEG: "a JPEG image", _PNG: "a PNG image"}
_HIGH_COLOUR = (0x7C00, 0x03E0, 0x001F, 0)
_TRUE_COLOUR = (0xFF0000, 0x00FF00, 0x0000FF, 0)
_WITH_ALPHA = (0xFF0000, 0x00FF00, 0x0000FF, 0xFF000000)
_STRIP = 2**18  # pixels that are unpacked at once, so that little memory is taken beside the image's own


@dataclass(frozen=True)
class Header:
    """What stands before the pixels, which begin at `start`; `masks` are those of red, green, blue and alpha."""

    height: int
    width: int
    is_top_down: bool
    bits: int
    compression: int
    header_bytes: int
    start: int
    masks: tuple[int, ...]
    palette: bytes

    @property
    def row_bytes(self) -> int:
        """Bytes of a row without what fills it up to a multiple of four."""
        return (self.width * self.bits + 7) // 8

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return (self.width * self.bits + 31) // 32 * 4

    @property
    def end(self) -> int:
        """Where the pixels end, unless they are run lengths; some programs do not fill up the last row."""
        return self.start + (self.height - 1) * self.stride + self.row_bytes


def header(data: bytes) -> Header:
    """What stands before the pixels.

    Raises:
        struct.error: it is cut off.
        ValueError: it is no header.
    """
    start, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes == _CORE:
        width, height, _, bits = struct.unpack_from("<4H", data, 18)
        compression = colours = 0
    elif 16 <= header_bytes <= 124:  # OS/2 may leave out the fields at the end
        fields = data[14 : 14 + header_bytes].ljust(_INFO, b"\0")
        width, height, _, bits, compression, _, _, _, colours = struct.unpack_from("<iiHHIIiiI", fields, 4)
    else:
        raise ValueError("no header of a known size")
    if width <= 0 or not height:
        raise ValueError("no size")
    behind = 14 + header_bytes
    masks = _masks(data, header_bytes, bits, compression)
    entry = 3 if header_bytes == _CORE else 4
    wanted = min(colours or 2**bits, 2**bits) if bits <= 8 else 0
    if wanted and start in (0, behind):  # some programs leave the palette out of the sum
        start = behind + wanted * entry
    palette = data[behind : min(behind + wanted * entry, max(start, behind))]
    start = start or behind + (12 if masks and header_bytes == _INFO and compression == _MASKS else 0)
    bgr = b"".join(palette[at : at + 3] for at in range(0, len(palette) - 2, entry))
    return Header(abs(height), width, height < 0, bits, compression, header_bytes, start, masks, bgr)


def _masks(data: bytes, header_bytes: int, bits: int, compression: int) -> tuple[int, ...]:
    """Those of red, green, blue and alpha: in a header of 52 bytes and more, behind one of 40, or the usual ones."""
    if bits not in (16, 32):
        return ()
    if compression not in (_MASKS, _MASKS_WITH_ALPHA):
        return _HIGH_COLOUR if bits == 16 else _TRUE_COLOUR
    has_alpha = header_bytes >= 56 or (header_bytes == _INFO and compression == _MASKS_WITH_ALPHA)
    masks = struct.unpack_from("<4I" if has_alpha else "<3I", data, 14 + _INFO)
    if bits == 32 and not any(masks):  # as Pillow reads them
        return _WITH_ALPHA
    return masks if has_alpha else (*masks, 0)


def size(data: bytes) -> tuple[int, int]:
    """(height, width).

    Raises:
        struct.error, ValueError: as `header`.
    """
    found = header(data)
    return found.height, found.width


def unreadable(data: bytes) -> tuple[str, str] | None:
    """The sort of BMP and a hint, where it is one that is not read."""
    try:
        sort = _unread_sort(data, header(data))
    except (struct.error, ValueError):
        return None  # damaged
    return None if sort is None else (sort, "convert it to PNG, for example: magick image.bmp image.png")


def _unread_sort(data: bytes, found: Header) -> str | None:
    bits, compression = found.bits, found.compression
    is_os2 = 16 <= found.header_bytes <= _OS2 and found.header_bytes not in (_INFO, 52, 56)
    if is_os2 and compression == 3:
        return "an OS/2 BMP with Huffman codes"
    if compression == 4 and (is_os2 or bits == 24):
        return "an OS/2 BMP with run lengths of 24 bits"
    if compression in _EMBEDDED:
        return f"a BMP that holds {_EMBEDDED[compression]}"
    if compression not in _BITS:
        return f"a BMP with the compression {compression}"
    if bits not in _BITS[compression]:
        return f"a BMP of {bits} bits" + (f" with the compression {compression}" if compression != _RGB else "")
    if found.masks and not _are_plain(found.masks, bits):
        return "a BMP whose colour masks overlap, have gaps or are all empty"
    if compression in (_RLE8, _RLE4) and len(data) - found.start > MAX_RUN_LENGTH_BYTES:
        return f"a BMP with more than {MAX_RUN_LENGTH_BYTES // 10**6} MB of run lengths"
    return None


def _are_plain(masks: tuple[int, ...], bits: int) -> bool:
    """Whether each mask is one row of bits (or empty), all within the pixel and none of them in two masks."""
    together = 0
    for mask in masks:
        lowest = mask & -mask
        if mask >> bits or mask & (mask + lowest) or mask & together:
            return False
        together |= mask
    return any(masks[:3])


def pixels(data: bytes) -> Any:
    """uint8 (height, width, 3) of BGR or (height, width, 4) of BGRA; (height, width) where the palette is all grey.

    Raises:
        ImageError: the file ends before the image.
        ValueError: no palette, a run beyond its row.
    """
    found = header(data)
    if found.compression not in (_RLE8, _RLE4) and found.end > len(data):
        raise ImageError(_CUT_OFF)
    if found.bits > 8:
        return _in_strips(found, *_colours_of(data, found))
    palette = np.zeros((2**found.bits, 3), np.uint8)
    given = np.frombuffer(found.palette, np.uint8).reshape(-1, 3)
    if not len(given):
        raise ValueError("no palette")
    palette[: len(given)] = given
    if (palette == palette[:, :1]).all():
        palette = palette[:, 0]
    if found.compression == _RGB:
        rows = _rows(data, found, np.uint8, found.row_bytes)
        return _in_strips(found, lambda top, end: palette[_unpacked(rows[top:end], found)], palette.shape[1:])
    indices = _run_lengths(data, found)
    return _in_strips(found, lambda top, end: palette[indices[top:end]], palette.shape[1:])


def _in_strips(found: Header, strip: Callable[[int, int], Any], channels: tuple[int, ...]) -> Any:
    """The whole image, the first row above, of what `strip` makes of some rows of the file."""
    image = np.empty((found.height, found.width, *channels), np.uint8)
    in_files_order = image if found.is_top_down else image[::-1]
    rows = max(1, _STRIP // found.width)
    for top in range(0, found.height, rows):
        in_files_order[top : top + rows] = strip(top, top + rows)
    return image


def _rows(data: bytes, found: Header, kind: Any, columns: int) -> Any:
    """The rows as they lie in the file, without a copy."""
    return np.ndarray((found.height, columns), kind, data, found.start, (found.stride, np.dtype(kind).itemsize))


def _unpacked(rows: Any, found: Header) -> Any:
    """Indices of 1, 2, 4 or 8 bits, the first pixel in the highest bits, as bytes."""
    if found.bits == 8:
        return rows
    shifts = np.arange(8 - found.bits, -1, -found.bits, dtype=np.uint8)
    return ((rows[:, :, None] >> shifts) & (2**found.bits - 1)).reshape(len(rows), -1)[:, : found.width]


def _colours_of(data: bytes, found: Header) -> tuple[Callable[[int, int], Any], tuple[int]]:
    """What makes BGR or BGRA of some rows, and how many channels it makes."""
    if found.bits == 24:
        rows = _rows(data, found, np.uint8, found.row_bytes)
        return lambda top, end: rows[top:end].reshape(-1, found.width, 3), (3,)
    values = _rows(data, found, np.dtype(f"<u{found.bits // 8}"), found.width)
    red, green, blue, alpha = found.masks
    channels = [blue, green, red, *([alpha] if alpha else [])]

    def strip(top: int, end: int) -> Any:
        part = values[top:end]
        return np.stack([_channel(part, mask) for mask in channels], axis=-1)

    return strip, (len(channels),)


def _channel(values: Any, mask: int) -> Any:
    """The bits under a mask, from 0 to 255, rounded."""
    if not mask:
        return np.zeros(values.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    bits = (mask >> shift).bit_length()
    shift, bits = shift + max(0, bits - 16), min(bits, 16)  # what is below 16 bits does not show in 8
    most = 2**bits - 1
    table = ((np.arange(most + 1) * 255 + most // 2) // most).astype(np.uint8)
    return table[(values >> shift) & most]


def _run_lengths(data: bytes, found: Header) -> Any:
    """The indices of a BMP with run lengths; pixels that it jumps over have index 0."""
    width, height, half = found.width, found.height, found.compression == _RLE4
    indices = bytearray(width * height)
    at, x, y = found.start, 0, 0
    while y < height:
        if at + 2 > len(data):
            if y == height - 1 and x >= width:
                break
            raise ImageError(_CUT_OFF)
        count, value = data[at], data[at + 1]
        at += 2
        if not count and value < 3:
            if value == 1:
                break
            if value == 2:
                across, down = data[at : at + 2].ljust(2, b"\0")  # cut off: found out above
                at, x, y = at + 2, x + across, y + down
            else:
                x, y = 0, y + 1
            continue
        if count:
            run = bytes((value >> 4, value & 15)) * (count // 2 + 1) if half else bytes((value,)) * count
        else:
            count, used = value, (value + 1) // 2 if half else value
            run = data[at : at + used]
            if len(run) < used:
                raise ImageError(_CUT_OFF)
            at += used + used % 2
            if half:
                run = bytes(nibble for byte in run for nibble in (byte >> 4, byte & 15))
        if x >= width:
            raise ValueError("a run beyond its row")
        room = min(count, width - x)  # some programs fill the last run up
        place = y * width + x
        indices[place : place + room] = run[:room]
        x += count
    return np.frombuffer(indices, np.uint8).reshape(height, width)

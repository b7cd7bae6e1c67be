"""How large and how deep the pictures inside an AVIF file are, whatever its boxes claim: by the AV1 sequence headers.

Sources: ISO/IEC 14496-12, boxes `iloc`, `idat`, `stco` and `co64`; AV1 Bitstream & Decoding Process Specification,
sections 5.3 (OBU) and 5.5 (sequence header OBU); AV1 Image File Format, section 2.1.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from cnnctl.data.decoder.bits import Bits
from cnnctl.data.decoder.refusals import counted

_SEQUENCE_HEADER = 1
_MOST_OBUS = 8
MAX_PLACES = 4096
"""Items and chunks of one file, which each may hold a frame: real files have a few, and each costs time in Python."""


class Frame(NamedTuple):
    """What a sequence header says of its frames."""

    height: int
    width: int
    bits: int
    is_grey: bool
    full_range: bool


def frames(data: bytes) -> list[Frame]:
    """The sequence headers that are found where the file says that items and chunks of samples lie.

    Raises:
        ValueError: an item lies in pieces, in which a header could hide.
        struct.error, IndexError: a box is cut off.
    """
    return [frame for at in set(counted(_places(data), MAX_PLACES)) if (frame := _frame_at(data, at)) is not None]


def largest_frame(data: bytes) -> tuple[int, int] | None:
    """(height, width) of the largest AV1 frame of an AVIF file; None where none is found where the file says.

    Raises:
        ValueError, struct.error, IndexError: as `frames`.
    """
    found = [(frame.height, frame.width) for frame in frames(data)]
    return max(found, key=lambda size: size[0] * size[1], default=None)


def deep_bits(data: bytes) -> int:
    """Bits of a sample, 10 or 12, of a file that OpenCV decodes to more than 8.

    Raises:
        ValueError: the boxes and the frames do not agree on one number.
        struct.error, IndexError: a box is cut off.
    """
    found = {frame.bits for frame in frames(data)} - {8}
    claims = {data[at + 2] >> 5 & 3 for at in boxes(data, b"av1C") if data[at] == 0x81}
    if len(found) != 1 or {8 + 2 * (claim - 1) for claim in claims if claim > 1} != found:
        raise ValueError("depths that differ")
    return found.pop()


def has_full_range(data: bytes) -> bool:
    """Whether black is 0 and white the largest value: the box `colr` goes before what the frames say."""
    at = data.find(b"colrnclx")
    if 0 <= at < len(data) - 14:
        return bool(data[at + 14] & 128)
    return all(frame.full_range for frame in frames(data))


def unreadable(data: bytes) -> tuple[str, str] | None:
    """The sort of image and a hint, where OpenCV cannot read it."""
    try:
        grey = all(frame.is_grey for frame in frames(data))
    except (ValueError, struct.error, IndexError):
        return None  # damaged
    if not grey or b":auxiliary:alpha" not in data:
        return None
    return "a grey AVIF image with an alpha channel", "convert it to PNG, for example: avifdec image.avif image.png"


def boxes(data: bytes, kind: bytes) -> Iterator[int]:
    """Where the contents of every box of a kind begin; what merely looks like one costs little.

    Raises:
        ImageError: there are more than any file has.
    """
    return counted(_found(data, kind), MAX_PLACES)


def _found(data: bytes, kind: bytes) -> Iterator[int]:
    at = -1
    while (at := data.find(kind, at + 1)) >= 0:
        yield at + 4


def _places(data: bytes) -> Iterator[int]:
    """Where items and chunks of samples begin."""
    inner = list(boxes(data, b"idat")) or [0]  # never none, so that every item is counted
    for at in boxes(data, b"iloc"):
        for method, offset in _items(data, at):
            if method == 0:
                yield offset
            else:
                yield from (start + offset for start in inner)
    for kind, form in ((b"stco", "I"), (b"co64", "Q")):
        for at in boxes(data, kind):
            (count,) = struct.unpack_from(">I", data, at + 4)
            for number in range(min(count, (len(data) - at - 8) // struct.calcsize(form))):
                yield struct.unpack_from(f">{form}", data, at + 8 + number * struct.calcsize(form))[0]


def _items(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """(construction method, offset) of each item of an `iloc` box."""
    version = data[at]
    sizes = data[at + 4] >> 4, data[at + 4] & 15, data[at + 5] >> 4, data[at + 5] & 15 if version else 0
    offset_size, length_size, base_size, index_size = sizes
    if version > 2 or not set(sizes) <= {0, 4, 8}:
        return
    id_size = 4 if version == 2 else 2
    count = int.from_bytes(data[at + 6 : at + 6 + id_size], "big")
    at += 6 + id_size
    for _ in range(count):
        at += id_size
        method = data[at + 1] & 15 if version else 0
        at += 4 if version else 2
        base = int.from_bytes(data[at : at + base_size], "big")
        at += base_size
        (extents,) = struct.unpack_from(">H", data, at)
        at += 2
        if extents > 1:
            raise ValueError("an item in pieces")
        if extents:
            at += index_size
            base += int.from_bytes(data[at : at + offset_size], "big")
            at += offset_size + length_size
        yield method, base  # without an extent too, so that it is counted


def _frame_at(data: bytes, at: int) -> Frame | None:
    """What is in the sequence header among the first OBUs at a place."""
    for _ in range(_MOST_OBUS):
        if at + 2 > len(data) or data[at] & 0x81:
            return None
        head, kind = data[at], data[at] >> 3 & 15
        at += 2 if head & 4 else 1
        length = shift = 0
        while head & 2:
            if at >= len(data) or shift > 28:
                return None
            length |= (data[at] & 0x7F) << shift
            at += 1
            shift += 7
            if data[at - 1] < 0x80:
                break
        if kind == _SEQUENCE_HEADER:
            return _frame(Bits(data, at))
        if not head & 2:
            return None
        at += length
    return None


def _frame(bits: Bits) -> Frame:
    profile, _, reduced = bits.read(3), bits.read(1), bits.read(1)
    if reduced:
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    width, height = bits.read(width_bits) + 1, bits.read(height_bits) + 1
    _skip_tools(bits, bool(reduced))
    return Frame(height, width, *_colours(bits, profile))


def _colours(bits: Bits, profile: int) -> tuple[int, bool, bool]:
    """(bits of a sample, whether there is grey alone, whether black is 0): section 5.5.2."""
    deep = bits.read(1)
    depth = 8 + 2 * deep
    if deep and profile == 2:
        depth += 2 * bits.read(1)
    grey = profile != 1 and bool(bits.read(1))
    described = [bits.read(8) for _ in range(3)] if bits.read(1) else [2, 2, 2]
    srgb = not grey and described == [1, 13, 0]  # full by definition
    return depth, grey, srgb or bool(bits.read(1))


def _skip_tools(bits: Bits, reduced: bool) -> None:
    """What stands between the size and the colours."""
    if not reduced and bits.read(1):  # frame_id_numbers_present_flag
        bits.read(4 + 3)
    bits.read(3)
    if not reduced:
        bits.read(4)
        order_hints = bits.read(1)
        bits.read(2 * order_hints)
        chosen = bits.read(1)  # seq_choose_screen_content_tools
        if (chosen or bits.read(1)) and not bits.read(1):  # seq_choose_integer_mv
            bits.read(1)
        bits.read(3 * order_hints)
    bits.read(3)


def _skip_operating_points(bits: Bits) -> None:
    delay_length = 0
    if bits.read(1):  # timing_info_present_flag
        bits.read(64)
        if bits.read(1):  # equal_picture_interval
            bits.read_exp_golomb()
        if bits.read(1):  # decoder_model_info_present_flag
            delay_length = bits.read(5) + 1
            bits.read(32 + 5 + 5)
    delays = bits.read(1)  # initial_display_delay_present_flag
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_length and bits.read(1):
            bits.read(2 * delay_length + 1)
        if delays and bits.read(1):
            bits.read(4)

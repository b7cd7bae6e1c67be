"""How deep the components of a JPEG 2000 image are, and which sorts OpenCV would read wrongly without a word.

Sources: ISO/IEC 15444-1, A.5.1 (SIZ), annex I.5.3 (boxes of the JP2 header).
"""

import struct
from collections.abc import Iterator

CODE_STREAM = b"\xff\x4f\xff\x51"
_MOST_BOXES = 1000
_SRGB, _GREY, _YCC = 16, 17, 18
_READABLE = (None, _SRGB, _GREY)
_TO_PNG = "convert it to PNG, for example: magick image.jp2 image.png"
_KEEP_THREE = "keep three of its bands, for example: gdal_translate -b 1 -b 2 -b 3 image.jp2 image.png"
_SPACES = {0: "bilevel", 12: "CMYK", 14: "CIELab", _YCC: "YCC", 24: "e-YCC"}


def component_bits(data: bytes) -> list[int]:
    """Bits of a sample of each component; negative where they have a sign.

    Raises:
        struct.error: there is no code stream, or it is cut off.
    """
    return [-(size & 127) - 1 if size & 128 else size + 1 for size, _, _ in _components(data)]


def _components(data: bytes) -> list[tuple[int, int, int]]:
    """(sign and bits, distance across, distance down) of each component."""
    at = code_stream(data)
    (count,) = struct.unpack_from(">H", data, at + 40)
    flat = struct.unpack_from(f">{3 * count}B", data, at + 42)
    return list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))


def code_stream(data: bytes) -> int:
    """Where the code stream begins.

    Raises:
        struct.error: there is none.
    """
    if data.startswith(CODE_STREAM):
        return 0
    for kind, start, _ in _boxes(data, 0, len(data)):
        if kind == b"jp2c" and data[start : start + 4] == CODE_STREAM:
            return start
    raise struct.error("no code stream")


def unreadable(data: bytes) -> tuple[str, str] | None:
    """The sort of image and a hint, where OpenCV cannot read it, or would read it wrongly without a word."""
    try:
        bits, components = component_bits(data), _components(data)
    except struct.error:
        return None  # damaged
    if not bits:
        return None
    head = next(((start, end) for kind, start, end in _boxes(data, 0, len(data)) if kind == b"jp2h"), (0, 0))
    boxes = {kind: data[start:end] for kind, start, end in reversed(list(_boxes(data, *head)))}  # the first counts
    space = _space(boxes.get(b"colr", b""))
    several_sizes = any(component[1:] != (1, 1) for component in components)
    bands = _bands(len(bits), space, boxes.get(b"cdef", b""))
    checks = (
        ("with a palette" if b"pclr" in boxes else None, _TO_PNG),
        (f"in {_SPACES.get(space, f'the colour space {space}')}" if space not in _READABLE else None, _TO_PNG),
        ("of signed numbers" if min(bits) < 0 else None, _TO_PNG),
        (f"of {max(bits)} bit{'' if max(bits) == 1 else 's'}" if not 8 <= max(bits) <= 16 else None, _TO_PNG),
        ("with components of several sizes" if several_sizes else None, _TO_PNG),
        (bands, _KEEP_THREE),
    )
    return next(((f"a JPEG 2000 image {sort}", hint) for sort, hint in checks if sort is not None), None)


def _bands(count: int, space: int | None, definitions: bytes) -> str | None:
    """Two channels are never read; a fourth one only where it is said to be a straight alpha channel."""
    (number,) = struct.unpack_from(">H", definitions) if len(definitions) >= 2 else (0,)
    kinds = {}
    for at in range(2, min(len(definitions) - 5, 2 + 6 * number), 6):
        channel, kind, _ = struct.unpack_from(">HHH", definitions, at)
        kinds[channel] = kind
    if count == 1 or (count == 3 and space != _GREY) or (count == 4 and space != _GREY and kinds.get(3) == 1):
        return None
    if count == 2 and kinds.get(1) in (1, 2):
        return "of grey with an alpha channel"
    if count == 4 and space != _GREY:
        premultiplied = "whose colours were multiplied by its alpha channel"
        return premultiplied if kinds.get(3) == 2 else "whose fourth band is not marked as an alpha channel"
    return f"of {count} bands"


def _space(colours: bytes) -> int | None:
    """The enumerated colour space; None where a profile says it."""
    return struct.unpack_from(">I", colours, 3)[0] if len(colours) >= 7 and colours[0] == 1 else None


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of the contents of each box; the last may claim more than there is."""
    for _ in range(_MOST_BOXES):
        if at + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1 and at + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        if length == 0:  # up to the end
            length = end - at
        if length < head:
            return
        yield kind, at + head, min(at + length, end)
        at += length

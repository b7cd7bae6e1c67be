"""How large the pictures inside a HEIC file are, whatever its boxes claim: by the sequence parameter sets of HEVC.

Sources: ISO/IEC 23008-12, sections 6.5.3 (`ispe`), 6.6.2.2 (`iovl`) and 6.6.2.3 (`grid`); ISO/IEC 14496-15, section
8.3.3 (`hvcC`); ITU-T H.265, sections 7.3.1 and 7.3.2.2.
"""

import struct
from collections.abc import Iterator, Sequence

from cnnctl.data.decoder import heif_boxes
from cnnctl.data.decoder.bits import Bits
from cnnctl.data.decoder.refusals import counted

Size = tuple[int, int]
_PARAMETERS = 33  # the type of a unit that holds a sequence parameter set
_MOST_UNITS = 8192
_PADDING = 64
"""Pixels up to which a coded picture is larger than what is shown: it has whole blocks."""

_CODED = (b"hvc1", b"hev1")
_COMPOSED = (b"grid", b"iovl")
_OTHERS = {b"av01": "AV1", b"j2k1": "JPEG 2000", b"avc1": "H.264", b"vvc1": "VVC", b"unci": "uncompressed pixels"}


def largest(data: bytes) -> Size | None:
    """(height, width) of the largest of the pictures in a file, as their boxes claim and as they are coded.

    None where none is found where the file says.

    Raises:
        ValueError, struct.error, IndexError: a box is cut off, or contradicts itself.
        ImageError: there are more parts than any file has.
    """
    meta = heif_boxes.meta(data)
    properties = list(heif_boxes.properties(meta))
    coded = _coded_sizes(data, meta, properties)
    if not coded:
        return None
    sizes = [size for found in coded.values() for size in found]
    sizes += [_height_after_width(part, ">II", 4) for kind, part in properties if kind == b"ispe"]
    tiles = dict(heif_boxes.references(meta))
    for item in heif_boxes.items(data, meta, _COMPOSED):
        of_tiles = [size for tile in tiles.get(item.number, ()) for size in coded.get(tile, ())]
        sizes += _of_canvas(item, of_tiles)
    apertures = [_aperture(part) for kind, part in properties if kind == b"clap"]
    return max((_without_padding(size, apertures) for size in sizes), key=lambda size: size[0] * size[1])


def _coded_sizes(data: bytes, meta: bytes, properties: Sequence[tuple[bytes, bytes]]) -> dict[int, list[Size]]:
    """The sizes of each coded picture, by its number: those of its configuration and those among its pixels.

    Those of configurations that no picture has are under the number -1.
    """
    configured = {
        place: list(_of_configuration(part)) for place, (kind, part) in enumerate(properties, 1) if kind == b"hvcC"
    }
    found = {-1: [size for sizes in configured.values() for size in sizes]}
    for number, places in heif_boxes.associations(meta):
        found[number] = [size for place in places for size in configured.get(place, ())]
    for item in heif_boxes.items(data, meta, _CODED):
        found.setdefault(item.number, []).extend(_of_units(item.content))
    return found if any(found.values()) else {}


def unreadable(data: bytes) -> tuple[str, str] | None:
    """The sort of image and a hint, where it is coded by something else than HEVC."""
    if any(name in data for name in _CODED):
        return None
    codec = next((codec for name, codec in _OTHERS.items() if name in data), None)
    return None if codec is None else (f"a HEIF image with {codec} inside", "convert it to JPEG")


def is_deep(data: bytes) -> bool:
    """Whether a sample has more than 8 bits."""
    return any(kind == b"hvcC" and part[17] & 7 for kind, part in heif_boxes.properties(heif_boxes.meta(data)))


def _aperture(clap: bytes) -> Size:
    """The size that is cut out of a picture."""
    width, of_width, height, of_height = struct.unpack_from(">4I", clap)
    return height // max(1, of_height), width // max(1, of_width)


def _without_padding(size: Size, apertures: Sequence[Size]) -> Size:
    """The aperture that a coded picture is padded to blocks for, where there is one."""
    height, width = size
    fits = (one for one in apertures if 0 <= height - one[0] < _PADDING and 0 <= width - one[1] < _PADDING)
    return next(fits, size)


def _of_configuration(hvcc: bytes) -> Iterator[Size]:
    """The sizes in the parameter sets of an `hvcC` box."""
    at = 23
    for _ in range(hvcc[22]):
        (units,) = struct.unpack_from(">H", hvcc, at + 1)
        at += 3
        for _ in range(units):
            (length,) = struct.unpack_from(">H", hvcc, at)
            yield from _of_unit(hvcc[at + 2 : at + 2 + min(length, 512)])
            at += 2 + length


def _of_units(content: bytes) -> Iterator[Size]:
    """The sizes in the parameter sets among the coded units of a picture, each with its length before it."""

    def walk() -> Iterator[bytes]:
        at = 0
        while at + 4 <= len(content):
            length = int.from_bytes(content[at : at + 4], "big")
            yield content[at + 4 : at + 4 + min(length, 512)]
            at += 4 + length

    for unit in counted(walk(), _MOST_UNITS):
        yield from _of_unit(unit)


def _of_unit(unit: bytes) -> Iterator[Size]:
    """The size that a unit states, where it is a sequence parameter set of the base layer."""
    if len(unit) < 3 or unit[0] >> 1 & 63 != _PARAMETERS or (unit[0] & 1) << 5 | unit[1] >> 3:
        return
    bits = Bits(unit.replace(b"\0\0\3", b"\0\0"), 2)
    bits.read(4)
    sub_layers = bits.read(3)
    bits.read(1 + 88 + 8)
    flags = [(bits.read(1), bits.read(1)) for _ in range(sub_layers)]
    bits.read(2 * (8 - sub_layers) if sub_layers else 0)
    for has_profile, has_level in flags:
        bits.read(88 * has_profile + 8 * has_level)
    bits.read_exp_golomb()
    chroma = bits.read_exp_golomb()
    if chroma == 3:
        bits.read(1)
    width, height = bits.read_exp_golomb(), bits.read_exp_golomb()
    if bits.read(1):  # conformance_window_flag
        left, right, top, bottom = (bits.read_exp_golomb() for _ in range(4))
        padding = (top + bottom) * (2 if chroma == 1 else 1), (left + right) * (2 if chroma in (1, 2) else 1)
        if max(padding) < _PADDING:
            height, width = height - padding[0], width - padding[1]
    yield height, width


def _of_canvas(item: heif_boxes.Item, tiles: Sequence[Size]) -> Iterator[Size]:
    """What a composed picture takes: its canvas, and all of its tiles together, where they are more."""
    content = item.content
    form = ">II" if content[1] & 1 else ">HH"
    height, width = _height_after_width(content, form, 4 if item.kind == b"grid" else 10)
    yield height, width
    if item.kind == b"grid":
        rows, columns = content[2] + 1, content[3] + 1
        of_tile = max((one for one, _ in tiles), default=0), max((one for _, one in tiles), default=0)
        if (rows - 1) * of_tile[0] >= height or (columns - 1) * of_tile[1] >= width:
            yield rows * of_tile[0], columns * of_tile[1]


def _height_after_width(data: bytes, form: str, at: int) -> Size:
    width, height = struct.unpack_from(form, data, at)
    return height, width

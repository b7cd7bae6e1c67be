"""The boxes of a HEIF file that say which items it has, where they lie, and what belongs together.

Sources: ISO/IEC 14496-12, boxes `meta`, `iinf`, `iloc`, `idat` and `iref`; ISO/IEC 23008-12, section 9.3 (`iprp`).
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cnnctl.data.decoder.refusals import counted

MOST_ITEMS = 8192


class Item(NamedTuple):
    """An item of the file: its number, its type, and the bytes that it has."""

    number: int
    kind: bytes
    content: bytes


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of the boxes in some bytes."""

    def walk() -> Iterator[tuple[bytes, bytes]]:
        at = 0
        while at + 8 <= len(data):
            size, kind = struct.unpack_from(">I4s", data, at)
            head = 8
            if size == 1:
                (size,) = struct.unpack_from(">Q", data, at + 8)
                head = 16
            end = len(data) if size == 0 else at + size
            if end < at + head:
                raise ValueError("a box that is smaller than its head")
            yield kind, data[at + head : end]
            at = end

    return counted(walk(), MOST_ITEMS)


def meta(data: bytes) -> bytes:
    """What describes the items of a file; empty where nothing does."""
    return next((part[4:] for kind, part in boxes(data) if kind == b"meta"), b"")


def properties(meta: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of the properties that items have."""
    for kind, part in _inside(meta, b"iprp"):
        if kind == b"ipco":
            yield from boxes(part)


def _inside(meta: bytes, wanted: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes in those of a type."""
    for kind, part in boxes(meta):
        if kind == wanted:
            yield from boxes(part)


def associations(meta: bytes) -> Iterator[tuple[int, list[int]]]:
    """(number of an item, the places of its properties from 1), by the `ipma` boxes."""
    for kind, part in _inside(meta, b"iprp"):
        if kind != b"ipma":
            continue
        item, place = ("I", 4) if part[0] else ("H", 2), ("H", 2, 0x7FFF) if part[3] & 1 else ("B", 1, 0x7F)
        at = 8
        for _ in counted(range(struct.unpack_from(">I", part, 4)[0]), MOST_ITEMS):
            number, count = struct.unpack_from(f">{item[0]}B", part, at)
            at += item[1] + 1
            places = struct.unpack_from(f">{count}{place[0]}", part, at)
            at += count * place[1]
            yield number, [one & place[2] for one in places]


def references(meta: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(number of a composed picture, those of its parts), by the `iref` box."""
    iref = dict(boxes(meta)).get(b"iref", b"")
    form, size = ("I", 4) if iref[:1] == b"\1" else ("H", 2)
    for kind, part in boxes(iref[4:]):
        if kind == b"dimg":
            number, count = struct.unpack_from(f">{form}H", part)
            yield number, struct.unpack_from(f">{count}{form}", part, size + 2)


def items(data: bytes, meta: bytes, wanted: Sequence[bytes]) -> Iterator[Item]:
    """The items of some types.

    Raises:
        ValueError: they have more bytes than the file: each of its bytes may be one of several.
    """
    parts = dict(boxes(meta))
    kinds = dict(_kinds(parts.get(b"iinf", b"")))
    left = 2 * len(data)
    for number, method, extents in counted(_extents(parts.get(b"iloc", b"")), MOST_ITEMS):
        kind = kinds.get(number, b"")
        if kind not in wanted:
            continue
        source = {0: data, 1: parts.get(b"idat", b"")}.get(method)
        if source is None:
            raise ValueError("an item that lies in another one")
        left -= sum(length for _, length in extents)
        if left < 0:
            raise ValueError("items that overlap")
        yield Item(number, kind, b"".join(source[start : start + length] for start, length in extents))


def _kinds(iinf: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, type) of each item."""
    if not iinf:
        return
    for kind, part in boxes(iinf[6 if iinf[0] == 0 else 8 :]):
        if kind == b"infe" and part[0] in (2, 3):
            form = ">HH4s" if part[0] == 2 else ">IH4s"
            number, _, sort = struct.unpack_from(form, part, 4)
            yield number, sort


def _extents(iloc: bytes) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """(number, construction method, [(offset, length)]) of each item of an `iloc` box."""
    if not iloc:
        return
    version, at = iloc[0], 6
    offset_size, length_size, base_size = iloc[4] >> 4, iloc[4] & 15, iloc[5] >> 4
    index_size = iloc[5] & 15 if version else 0
    if version > 2 or not {offset_size, length_size, base_size, index_size} <= {0, 4, 8}:
        raise ValueError("an iloc box of an unknown form")

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(iloc):
            raise ValueError("an iloc box that is cut off")
        return int.from_bytes(iloc[at - size : at], "big")

    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size)
        extents = []
        for _ in counted(range(number(2)), MOST_ITEMS):
            number(index_size)
            start = base + number(offset_size)
            extents.append((start, number(length_size)))
        yield item, method, extents

"""Images that would cost more than their bytes: BMP headers of all sorts, scans, boxes and comments without end."""

import random
import struct
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from cnnctl.data.decoder import jpeg, pnm
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode
from tests.bmps import CORE, INFO, OS2, V2, V3, V4, V5, bmp, packed, run_lengths, under
from tests.fuzz.images import answer, damage, limit_memory
from tests.jpegs import SORTS, of_scans

SECONDS = 5
"""Of processor time that one file may take; those here have few pixels or few bytes."""

Made = tuple[bytes, np.ndarray | None]


def any_bmp(chance: random.Random) -> Made:
    """A whole BMP of any header, depth, masks and palette, and what is to be seen (None: a refusal will do)."""
    height, width = chance.randint(1, 40), chance.randint(1, 60)
    noise = np.random.default_rng(chance.randrange(10**9))
    bits = chance.choice((1, 2, 4, 8, 16, 24, 32))
    more = {"top_down": chance.random() < 0.5, "gap": chance.choice((0, 0, 1, 30))}
    if bits <= 8:
        palette = noise.integers(0, 256, (chance.randint(1, 2**bits), 3))
        indices = noise.integers(0, len(palette), (height, width))
        header = chance.choice((16, INFO, V2, V3, OS2, V4, V5))
        colours = [tuple(map(int, colour)) for colour in palette]
        rows = packed(indices, bits)
        if header == 16:
            colours += [(0, 0, 0)] * (2**bits - len(colours))
        if bits >= 4 and header in (INFO, V4, V5) and chance.random() < 0.5:
            codes, sort = run_lengths(indices, bits == 4), 2 if bits == 4 else 1
            return bmp((height, width), bits, codes, header=header, compression=sort, palette=colours), palette[indices]
        return bmp((height, width), bits, rows, header=header, palette=colours, **more), palette[indices]
    pixels = noise.integers(0, 256, (height, width, 3)).astype(np.uint8)
    if bits == 24:
        rows = [row[:, ::-1].tobytes() for row in pixels]
        header = chance.choice((CORE, INFO, OS2, V4, V5))
        more["top_down"] &= header != CORE  # which cannot say so
        return bmp((height, width), 24, rows, header=header, **more), pixels
    cuts = sorted(chance.sample(range(bits + 1), 4))
    masks = [(1 << high) - (1 << low) for low, high in pairwise(cuts)]
    chance.shuffle(masks)
    values, back = under(pixels, masks)
    if chance.random() < 0.1:
        masks[0] |= masks[1]  # overlapping
        back = None
    header = chance.choice((INFO, V2, V3, V4, V5))
    return bmp((height, width), bits, packed(values, bits), header=header, compression=3, masks=masks, **more), back


def any_scans(chance: random.Random) -> Made:
    """A JPEG of many scans, with something that may hide them in between."""
    scans = chance.choice((1, 2, jpeg.MAX_SCANS, jpeg.MAX_SCANS + 1, 3000))
    side = chance.choice((8, 64, 500, 1500))
    between = b"".join(
        chance.choice(
            (b"\xff\xff", b"\xff\xd9"[:1], b"\xff\xd3", b"\xff\xfe\0\6\xff\xd9\xff\xd9", b"\xff\xfe\0\1", b"\0")
        )
        for _ in range(chance.randint(0, 3))
    )
    return of_scans(side, side, scans, between), None


def any_boxes(chance: random.Random) -> Made:
    """An AVIF or a JPEG 2000 of boxes that claim what they like, many times over."""

    def number() -> bytes:
        return struct.pack(
            ">I", chance.choice((0, 1, 2, 8, 9, 14, 4096, 65_535, 2**31, 2**32 - 1, chance.randrange(200)))
        )

    kinds = (
        b"iloc",
        b"idat",
        b"ispe",
        b"stco",
        b"co64",
        b"meta",
        b"av1C",
        b"jp2c",
        b"jp2h",
        b"ihdr",
        b"cdef",
        b"\xff\x4f\xff\x51",
    )
    part = b"".join(
        chance.choice((chance.choice(kinds), number(), bytes((chance.randrange(256),)), bytes(4)))
        for _ in range(chance.randint(1, 40))
    )
    avif = b"\0\0\0\x18ftypavif\0\0\0\0avifmif1"
    jp2 = b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
    head = chance.choice((avif, jp2))
    return head + part * chance.choice((1, 2, 300, 20_000)) + bytes(chance.choice((0, 100, 100_000))), None


def any_comments(chance: random.Random) -> Made:
    """A PNM header of blanks, numbers and comments in any order."""
    words = (b" ", b"\n", b"\r", b"\t", b"#", b"# 9 9\n", b"8", b"8 ", b"1\n", b"255\n", b"20000", b"-1", b"\v", b"\0")
    head = b"".join(chance.choice(words) for _ in range(chance.randint(1, 20)))
    return b"P%d" % chance.randint(1, 6) + head * chance.choice((1, 1, 3000)) + bytes(
        chance.choice((0, 64, 5000))
    ), None


def any_sort(chance: random.Random) -> Made:
    return damage(chance.choice(list(SORTS.values())), chance), None


KINDS: tuple[Callable[[random.Random], Made], ...] = (any_bmp, any_bmp, any_scans, any_boxes, any_comments, any_sort)


def once(chance: random.Random) -> None:
    """A whole file is seen as it was written; none takes more time or memory than the limits say."""
    limit_memory()
    data, expected = chance.choice(KINDS)(chance)
    begun = time.process_time()
    if expected is not None:
        found = decode(data, ImageSpec(*expected.shape[:2]))
        assert np.abs(found - expected.astype(int)).max() <= 1, data[:150]
    else:
        answer(data)
    answer(damage(data, chance))
    seconds = time.process_time() - begun
    assert seconds < SECONDS, f"{seconds:.1f} s for {data[:300]!r} ({len(data):,} bytes)"
    agree_on_the_header(data)


def agree_on_the_header(data: bytes) -> None:
    """What our reader says of a PNM is what OpenCV finds behind the header that it is given."""
    if data[:1] != b"P" or len(data) > 10_000:
        return
    try:
        height, width, _, _ = pnm.header(data)
        found = decode(data, ImageSpec(height, width))
    except (ImageError, ValueError):
        return
    assert found.shape[:2] == (height, width)

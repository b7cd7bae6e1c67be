"""HEIC files of every sort whose boxes are changed: a photo of tiles, alpha, an orientation, deep colours."""

import io
import random
import struct
import time
from functools import cache

import numpy as np
import pillow_heif
from PIL import Image as Pillow

from cnnctl.data.decoder import headers
from cnnctl.data.decoder.images import ImageError
from tests.fuzz.images import EXTREMES, answer, damage, limit_memory
from tests.images import encode, picture, with_alpha

SECONDS = 20
"""After which a file counts as one that is waited for."""

BOXES = (*(b"ftyp", b"meta", b"pitm", b"iinf", b"infe", b"iref", b"iprp", b"ipco", b"ipma", b"iloc", b"idat", b"mdat"),)
PROPERTIES = (
    b"hvcC",
    b"ispe",
    b"irot",
    b"imir",
    b"clap",
    b"colr",
    b"pixi",
    b"auxC",
    b"grid",
    b"iovl",
    b"dimg",
    b"hvc1",
)


@cache
def files() -> list[bytes]:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    deep = pillow_heif.from_bytes("RGB;16", (50, 37), (np.asarray(picture()).astype(np.uint16) * 257).tobytes())
    stream = io.BytesIO()
    deep.save(stream)
    return [
        encode(picture(), "HEIF"),
        encode(picture(300, 400), "HEIF", tile_size=128),
        encode(with_alpha(), "HEIF"),
        encode(picture(), "HEIF", exif=exif.tobytes()),
        encode(picture().convert("L"), "HEIF", chroma=444),
        stream.getvalue(),
    ]


def rebuilt(whole: bytes, chance: random.Random) -> bytes:
    """A file with one box changed: its type, its size, or some of its first bytes."""
    data = bytearray(whole)
    name = chance.choice([one for one in (*BOXES, *PROPERTIES) if one in whole])
    starts = [at for at in range(len(data)) if data[at : at + 4] == name]
    at = chance.choice(starts)
    match chance.randrange(5):
        case 0:
            data[at : at + 4] = chance.choice((*BOXES, *PROPERTIES))
        case 1:
            sizes = (0, 1, 7, 8, 9, 2**31, 2**32 - 1, len(data), chance.randrange(len(data)))
            data[max(0, at - 4) : at] = struct.pack(">I", chance.choice(sizes))
        case 2:
            place = at + 4 + chance.randrange(40)
            data[place : place + 4] = chance.choice(EXTREMES)
        case 3:
            place = at + 4 + chance.randrange(40)
            data[place : place + 1] = bytes([chance.randrange(256)])
        case _:
            end = at - 4 + struct.unpack_from(">I", data, max(0, at - 4))[0]
            data[at - 4 : at - 4] = data[at - 4 : min(end, at + 2000)] * chance.choice((1, 2, 50))
    return bytes(data)


def once(chance: random.Random) -> None:
    """Pixels or a reason, in time."""
    limit_memory()
    data = chance.choice(files())
    for _ in range(chance.randint(1, 3)):
        data = rebuilt(data, chance) if chance.random() < 0.8 else damage(data, chance)
        if not any(one in data for one in BOXES):
            return
    begun = time.monotonic()
    try:
        headers.dimensions(data, "HEIC")
    except ImageError as error:
        assert error.message
    answer(data)
    assert time.monotonic() - begun < SECONDS, data

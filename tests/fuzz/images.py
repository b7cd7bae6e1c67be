"""Damaged image files into the decoder."""

import os
import random
import resource

import numpy as np
from PIL import Image as Pillow

from cnnctl.data.decoder.images import ImageError, ImageSpec, decode, opencv
from tests.images import encode, every_mode

MODES = list(every_mode().values())
SPEC = ImageSpec(16, 16)
MEMORY = 2**30
"""Bytes that decoding may take beyond what the process has."""

OTHERS = [encode(Pillow.new("RGB", (50, 37), colour), "PNG") for colour in ((255, 0, 255), (0, 255, 0))]
EXTREMES = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\xff\xff")
_limited = False


def limit_memory() -> None:
    """So that a decompression bomb ends the process."""
    global _limited
    if _limited:
        return
    _limited = True
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libpng and libjpeg say
    opencv()
    decode(OTHERS[0], SPEC)
    with open("/proc/self/statm") as file:  # noqa: PTH123 - a pseudo file
        pages = int(file.read().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def damage(whole: bytes, chance: random.Random) -> bytes:
    """A file with bytes changed, cut, repeated, or filled with its own head."""
    data = bytearray(whole)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(min(len(data), chance.choice((64, 300, 10**9))))
        match chance.randrange(6):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at] ^= 1 << chance.randrange(8)
            case 2:
                data[at : at + 4] = chance.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\xff\xff")
                )
            case 3:
                del data[at : at + chance.choice((1, 2, 8, 100))]
            case 4:
                data[at:at] = data[: chance.choice((2, 8, 50))]
            case _:
                del data[max(at, 8) :]
        if len(data) < 8:
            data += bytes(8)
    return bytes(data)


def answer(data: bytes) -> "np.ndarray | str":
    try:
        return decode(data, SPEC)
    except ImageError as error:
        assert error.message
        assert "\n" not in error.message
        return error.message


def once(chance: random.Random) -> None:
    """A damaged file gives the same pixels, whatever was decoded before it, or a reason."""
    limit_memory()
    data = damage(chance.choice(MODES), chance)
    first = answer(data)
    for other in OTHERS:
        decode(other, SPEC)
        again = answer(data)
        assert isinstance(first, str) == isinstance(again, str), (first, again, data)
        if not isinstance(first, str):
            assert first.shape == SPEC.shape
            assert np.array_equal(first, again), f"pixels of another image in {data!r}"

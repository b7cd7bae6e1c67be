"""Each sort of JPEG 2000 image that is named instead of being read wrongly."""

import struct

import numpy as np
import pytest
from PIL import Image

from cnnctl.data.decoder.images import ImageError, ImageSpec, decode
from tests.deep import jpeg2000
from tests.images import encode

RGB, RGBA, GREY = (
    jpeg2000(np.random.default_rng(0).integers(0, 256, (32, 40, bands)), (8,) * bands) for bands in (3, 4, 1)
)
BOXES_END = RGB.index(b"jp2c") - 4
CODE_STREAM_ALONE = encode(Image.new("RGBA", (40, 40)), "JPEG2000", no_jp2=True)


def with_space(data: bytes, space: int) -> bytes:
    at = data.index(b"colr") + 7
    return data[:at] + struct.pack(">I", space) + data[at + 4 :]


def with_box(data: bytes, kind: bytes, content: bytes) -> bytes:
    """One more box at the end of the JP2 header."""
    start = data.index(b"jp2h") - 4
    (length,) = struct.unpack_from(">I", data, start)
    box = struct.pack(">I4s", 8 + len(content), kind) + content
    end = start + length
    return data[:start] + struct.pack(">I", length + len(box)) + data[start + 4 : end] + box + data[end:]


def with_alpha(kind: int) -> bytes:
    at = RGBA.index(b"cdef") + 4 + 2 + 3 * 6 + 2
    assert struct.unpack_from(">H", RGBA, at) == (1,)
    return RGBA[:at] + struct.pack(">H", kind) + RGBA[at + 2 :]


def with_component(data: bytes, number: int, *values: int) -> bytes:
    at = data.index(b"\xff\x4f\xff\x51") + 42 + 3 * number
    return data[:at] + bytes(values) + data[at + len(values) :]


@pytest.mark.parametrize(
    ("sort", "hint", "data"),
    [
        ("whose fourth band is not marked as an alpha channel", "keep three", with_alpha(0)),
        ("whose fourth band is not marked as an alpha channel", "keep three", with_alpha(65535)),
        ("whose fourth band is not marked as an alpha channel", "keep three", RGBA.replace(b"cdef", b"cdeg")),
        ("whose fourth band is not marked as an alpha channel", "keep three", CODE_STREAM_ALONE),
        ("whose colours were multiplied by its alpha channel", "", with_alpha(2)),
        ("of 3 bands", "keep three", with_space(RGB, 17)),
        ("in YCC", "to PNG", with_space(RGB, 18)),
        ("in CMYK", "to PNG", with_space(RGBA, 12)),
        ("in CIELab", "to PNG", with_space(RGB, 14)),
        ("in the colour space 21", "to PNG", with_space(RGB, 21)),
        ("with a palette", "to PNG", with_box(GREY, b"pclr", bytes(10))),
        ("of signed numbers", "to PNG", with_component(GREY, 0, 0x87)),
        ("of 1 bit", "to PNG", with_component(GREY, 0, 0)),
        ("of 4 bits", "to PNG", with_component(GREY, 0, 3)),
        ("of 20 bits", "to PNG", with_component(GREY, 0, 19)),
        ("with components of several sizes", "to PNG", with_component(RGB, 1, 7, 2, 2)),
    ],
)
def test_a_sort_that_is_not_read_is_named(sort: str, hint: str, data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        decode(data, ImageSpec(8, 8))
    assert caught.value.message == f"it is a JPEG 2000 image {sort}, which is not supported"
    assert hint in (caught.value.hint or "")


def test_others_are_read() -> None:
    for data in (RGB, RGBA, GREY, with_alpha(1), with_box(RGB, b"res ", bytes(8)), with_space(GREY, 16)):
        assert decode(data, ImageSpec(8, 8)).shape == (8, 8, 3)

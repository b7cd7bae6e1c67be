"""The size of what is in an AVIF file, whatever the file says of it."""

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.decoder import headers
from cnnctl.data.decoder.av1 import largest_frame
from cnnctl.data.decoder.refusals import ImageError
from tests.images import encode, picture, with_alpha


@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 16), (300, 2), (7, 999), (1000, 1500)])
@pytest.mark.parametrize("options", [{}, {"quality": 100}, {"speed": 10}, {"subsampling": "4:4:4"}])
def test_the_frame_is_the_picture(height: int, width: int, options: dict[str, object]) -> None:
    assert largest_frame(encode(picture(height, width), "AVIF", **options)) == (height, width)


def test_with_alpha_and_animated() -> None:
    image = with_alpha()
    assert largest_frame(encode(image, "AVIF")) == (image.height, image.width)
    animated = encode(picture(40, 60), "AVIF", save_all=True, append_images=[picture(40, 60)] * 2)
    assert largest_frame(animated) == (40, 60)


def test_boxes_that_claim_less_are_not_believed() -> None:
    data = encode(picture(500, 700), "AVIF")
    at = data.index(b"ispe") + 8
    lying = data[:at] + struct.pack(">II", 8, 8) + data[at + 8 :]
    assert headers.dimensions(lying, "AVIF") == (500, 700)


def test_a_file_whose_frames_are_not_where_it_says_has_no_size() -> None:
    data = encode(picture(50, 70), "AVIF")
    at = data.index(b"mdat") + 4
    assert headers.dimensions(data[:at] + bytes(3) + data[at:], "AVIF") is None


HEAD = b"\0\0\0\x18ftypavif\0\0\0\0avifmif1"


def item_box(items: int, method: int, extents: int) -> bytes:
    """An `iloc` box of version 1 with offsets of 4 bytes."""
    each = b"".join(
        struct.pack(">HHHH", 1, method, 0, extents) + struct.pack(">I", 7 * n) * extents for n in range(items)
    )
    return b"iloc\x01\0\0\0\x40\0" + struct.pack(">H", items) + each


@pytest.mark.parametrize(
    "boxes",
    [
        item_box(65_535, 1, 1) + b"idat" * 20_000,
        item_box(3, 1, 1) + b"idat" * 5_000,
        item_box(65_535, 1, 1),
        item_box(65_535, 0, 1),
        item_box(65_535, 0, 0),
        item_box(65_535, 1, 0) + b"idat",
        (b"iloc\x02\0\0\0\0\x40\0\x01\0\0") * 70_000 + bytes(14 * 65_540),
        b"stco\0\0\0\0\0\1\0\0" + b"".join(struct.pack(">I", n) for n in range(65_536)),
        b"co64\0\0\0\0\0\1\0\0" + b"".join(struct.pack(">Q", n) for n in range(65_536)),
        (b"stco\0\0\0\0\xff\xff\xff\xff") * 50_000,
        item_box(1, 0, 1) + b"ispe" * 100_000,
        b"iloc" * 200_000,
    ],
    ids=[
        "idat",
        "few",
        "no idat",
        "items",
        "empty",
        "empty idat",
        "iloc",
        "stco",
        "co64",
        "many stco",
        "ispe",
        "bare iloc",
    ],
)
def test_the_work_is_bounded(boxes: bytes) -> None:
    """By far more than a file of this size takes: seconds here were hours, or all memory, without the limit."""
    data = HEAD + boxes + bytes(100)
    begun = time.process_time()
    try:
        assert headers.dimensions(data, "AVIF") is None
        headers.unreadable(data, "AVIF")
    except ImageError as error:
        assert "more than 4,096 parts" in error.message  # noqa: PT017
    assert time.process_time() - begun < 2


def test_a_number_without_an_end_in_a_sequence_header() -> None:
    """At every place where a frame may begin; uvlc() has at most 32 zeros before its one."""
    header = b"\x0a\x7f\x04\x00\x00\x00\x01\x00\x00\x00\x01\x80" + bytes(500)
    items = struct.pack(">HH", 0x4000, 4000) + b"".join(
        struct.pack(">HHHHI", n, 0, 0, 1, 60_000 + n % 3) for n in range(4000)
    )
    data = (HEAD + b"iloc\x01\0\0\0" + items).ljust(60_000, b"\0") + header
    begun = time.process_time()
    headers.dimensions(data, "AVIF")
    assert time.process_time() - begun < 2


@given(place=st.floats(0, 1), value=st.integers(0, 255), cut=st.floats(0, 1))
def test_no_damage_makes_it_fail(place: float, value: int, cut: float) -> None:
    data = bytearray(AVIF)
    data[int(place * (len(data) - 1))] = value
    for damaged in (bytes(data), bytes(data[: int(cut * len(data))])):
        headers.dimensions(damaged, "AVIF")


AVIF = encode(picture(50, 70), "AVIF")

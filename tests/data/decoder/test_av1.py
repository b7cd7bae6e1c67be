"""The size of what is in an AVIF file, whatever the file says of it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.decoder import headers
from cnnctl.data.decoder.av1 import largest_frame
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


@given(place=st.floats(0, 1), value=st.integers(0, 255), cut=st.floats(0, 1))
def test_no_damage_makes_it_fail(place: float, value: int, cut: float) -> None:
    data = bytearray(AVIF)
    data[int(place * (len(data) - 1))] = value
    for damaged in (bytes(data), bytes(data[: int(cut * len(data))])):
        headers.dimensions(damaged, "AVIF")


AVIF = encode(picture(50, 70), "AVIF")

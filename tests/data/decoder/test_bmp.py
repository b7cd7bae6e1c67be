"""BMP files of every header: the pixels that were put in, or a refusal by name."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from cnnctl.data.decoder import bmp as reader
from cnnctl.data.decoder import headers
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode, upright
from tests.bmps import CORE, HEIGHT, HIGH, INFO, OS2, RGB, V4, WIDTH, bmp, every_bmp, packed

FILES = every_bmp()
SIZE = (HEIGHT, WIDTH)
BACKGROUND = (10, 200, 90)
SPEC = ImageSpec(HEIGHT, WIDTH, background=BACKGROUND)
GREY_16 = [(level * 17,) * 3 for level in range(16)]


def over(pixels: np.ndarray) -> np.ndarray:
    """RGB, or RGBA over the background."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[:, :, 3:].astype(float) / 255
    return np.floor(pixels[:, :, :3] * alpha + np.array(BACKGROUND) * (1 - alpha) + 0.5)


@pytest.mark.parametrize("name", FILES)
def test_the_pixels_are_those_of_the_file(name: str) -> None:
    data, expected = FILES[name]
    assert headers.dimensions(data, "BMP") == SIZE
    assert np.abs(decode(data, SPEC).astype(int) - over(expected)).max() == 0


def pillows(name: str) -> np.ndarray | None:
    """What Pillow makes of a file; it cannot read all, reads short palettes on into the pixels, and shifts jumps."""
    if "run lengths" in name or "short palette" in name:
        return None
    try:
        image = Image.open(io.BytesIO(FILES[name][0]))
        return np.asarray(image.convert("RGBA" if image.mode == "RGBA" else "RGB"))
    except (OSError, ValueError):
        return None


PILLOWS = {name: pixels for name in FILES if (pixels := pillows(name)) is not None}


@pytest.mark.parametrize("name", PILLOWS)
def test_pillow_agrees(name: str) -> None:
    """But for rounding: Pillow cuts off."""
    assert len(PILLOWS) > len(FILES) / 2
    assert np.abs(decode(FILES[name][0], SPEC).astype(int) - over(PILLOWS[name])).max() <= 1


def test_a_grey_palette_is_a_grey_image() -> None:
    assert upright(FILES["8 bits, grey"][0]).shape == SIZE
    assert upright(FILES["8 bits, OS/2"][0]).shape == (*SIZE, 3)


@pytest.mark.parametrize("name", FILES)
def test_cut_off_anywhere_is_never_half_a_picture(name: str) -> None:
    data, expected = FILES[name]
    refused = 0
    for cut in range(len(data)):
        try:
            assert np.array_equal(decode(data[:cut], SPEC), over(expected)), cut
        except ImageError as error:
            refused += 1
            assert "cut off" in error.message or cut < 160  # the header itself  # noqa: PT017
    assert refused >= len(data) - 8


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bmp(SIZE, 0, b"\xff\xd8\xff" + bytes(99), compression=4), "a BMP that holds a JPEG image"),
        (bmp(SIZE, 0, b"\x89PNG" + bytes(99), compression=5), "a BMP that holds a PNG image"),
        (bmp(SIZE, 1, bytes(9), header=OS2, compression=3), "an OS/2 BMP with Huffman codes"),
        (bmp(SIZE, 24, bytes(9), header=OS2, compression=4), "an OS/2 BMP with run lengths of 24 bits"),
        (bmp(SIZE, 64, bytes(8 * WIDTH * HEIGHT)), "a BMP of 64 bits"),
        (bmp(SIZE, 8, bytes(2999), compression=11), "a BMP with the compression 11"),
        (bmp(SIZE, 8, bytes(2999), compression=2), "a BMP of 8 bits with the compression 2"),
        (bmp(SIZE, 32, bytes(999), compression=3, masks=(0xFF0000, 0xFFFF00, 0xFF)), "colour masks overlap"),
        (bmp(SIZE, 32, bytes(999), compression=3, masks=(0xF0F000, 0, 0xFF)), "have gaps"),
        (bmp(SIZE, 16, bytes(999), compression=3, masks=(0, 0, 0)), "are all empty"),
        (bmp(SIZE, 16, bytes(999), compression=3, masks=(0x1F0000, 0x7E0, 0x1F)), "colour masks"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_read_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode(data, SPEC)
    assert reason in caught.value.message
    assert caught.value.message.endswith("which is not supported")
    assert "convert it to PNG" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "codes",
    [
        b"\x0b\x01\x01\x01\0\1",  # goes on behind the end of the row
        b"\0\x02\xff\0\x01\x01\0\1",  # a jump out of the row
    ],
)
def test_damaged_run_lengths(codes: bytes) -> None:
    with pytest.raises(ImageError, match=r"the BMP image is damaged and cannot be decoded$"):
        decode(bmp(SIZE, 8, codes, compression=1, palette=GREY_16), SPEC)


def test_run_lengths_that_end_early_leave_the_first_colour() -> None:
    data = bmp((3, 4), 8, b"\4\2\0\0\2\1\0\1", compression=1, palette=[(9, 8, 7), (1, 2, 3), (4, 5, 6)])
    found = decode(data, ImageSpec(3, 4))
    assert found[2].tolist() == [[4, 5, 6]] * 4
    assert found[1].tolist() == [[1, 2, 3]] * 2 + [[9, 8, 7]] * 2
    assert (found[0] == (9, 8, 7)).all()


def test_a_run_of_four_bits_that_fills_up_its_row() -> None:
    data = bmp((1, 3), 4, b"\4\x12\0\1", compression=2, palette=GREY_16)
    assert decode(data, ImageSpec(1, 3, 1))[0, :, 0].tolist() == [17, 34, 17]


def test_an_index_beyond_the_palette_is_black() -> None:
    assert decode(bmp((1, 2), 8, [b"\1\x40"], palette=[(1, 1, 1), (50, 60, 70)]), ImageSpec(1, 2)).tolist() == [
        [[50, 60, 70], [0, 0, 0]]
    ]


def test_a_place_of_the_pixels_that_leaves_the_palette_out() -> None:
    data, expected = FILES["8 bits"]
    for start in (0, 14 + INFO):
        wrong = data[:10] + struct.pack("<I", start) + data[14:]
        assert np.array_equal(decode(wrong, SPEC), expected)


@pytest.mark.parametrize("header", [0, 8, 13, 125, 2**31, 2**32 - 1])
def test_headers_of_unknown_size(header: int) -> None:
    data = bytearray(FILES["24 bits"][0])
    data[14:18] = struct.pack("<I", header)
    with pytest.raises(ImageError, match="the BMP image is damaged: its header has no valid size"):
        decode(bytes(data), SPEC)


def test_sizes_that_are_none() -> None:
    for height, width in ((0, 4), (4, 0), (4, -4)):
        data = bytearray(FILES["24 bits"][0])
        data[18:26] = struct.pack("<ii", width, height)
        assert headers.dimensions(bytes(data), "BMP") is None


def test_more_run_lengths_than_are_read() -> None:
    data = bmp(SIZE, 8, bytes(reader.MAX_RUN_LENGTH_BYTES + 1), compression=1, palette=GREY_16)
    with pytest.raises(ImageError, match="a BMP with more than 32 MB of run lengths"):
        decode(data, SPEC)


def test_565_behind_a_v4_header_is_white_where_it_is_white() -> None:
    """Not 248: five bits are spread over all of 0 to 255."""
    data = bmp((1, 1), 16, packed(np.array([[0xFFFF]]), 16), header=V4, compression=3, masks=HIGH)
    assert decode(data, ImageSpec(1, 1)).tolist() == [[[255, 255, 255]]]


def test_large_images_are_unpacked_in_strips() -> None:
    """More pixels than one strip, the last one not whole."""
    pixels = np.resize(RGB, (700, 801, 3))
    data = bmp((700, 801), 24, [row[:, ::-1].tobytes() for row in pixels], header=CORE)
    assert np.array_equal(decode(data, ImageSpec(700, 801)), pixels)

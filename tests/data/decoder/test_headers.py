"""What the first bytes say, and that no bytes at all make them fail."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.data.decoder import headers
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode
from tests.images import HEIGHT, WIDTH, encode, every_mode, grey_png, picture

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WebP", "AVIF", "PNM", "JPEG 2000", "HEIC")
MODES = every_mode()


def exif(orientation: int, order: str) -> bytes:
    """An EXIF block with a text and the orientation, in one byte order."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    tags = struct.pack(f"{order}HHII", 0x010F, 2, 6, 38) + struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + head + struct.pack(f"{order}IH", 8, 2) + tags + struct.pack(f"{order}I", 0) + b"maker\0"


@pytest.mark.parametrize("name", MODES)
def test_every_format_is_known_and_whole(name: str) -> None:
    found = headers.image_format(MODES[name])
    expected = {"jpeg", "mpo"} & set(name.split()) and "2000" not in name and "tiff" not in name
    assert found in FORMATS
    assert (found == "JPEG") == bool(expected)
    assert not headers.is_truncated(MODES[name], found)
    assert headers.unreadable(MODES[name], found) is None
    assert headers.orientation(MODES[name], found) == 1


@pytest.mark.parametrize("name", MODES)
def test_the_size_is_that_of_the_picture(name: str) -> None:
    assert headers.dimensions(MODES[name], headers.image_format(MODES[name])) == (HEIGHT, WIDTH)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (300, 2), (7, 999)])
@pytest.mark.parametrize("file_format", "JPEG PNG GIF BMP TIFF WEBP AVIF HEIF PPM JPEG2000".split())
def test_sizes_of_more_than_a_byte(file_format: str, height: int, width: int) -> None:
    for options in ({}, {"lossless": True}, {"exif": exif(6, "<")}):
        known = options if file_format == "WEBP" or ("exif" in options and file_format in ("JPEG", "PNG")) else {}
        data = encode(picture(height, width), file_format, **known)
        assert headers.dimensions(data, headers.image_format(data)) == (height, width)


@pytest.mark.parametrize("file_format", [*FORMATS, "something else"])
@given(st.binary(max_size=64))
def test_no_bytes_make_the_size_fail(file_format: str, data: bytes) -> None:
    found = headers.dimensions(data, file_format)
    assert found is None or min(found) > 0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", None),
        (b"P6\n1 1\n255\n123", "PNM"),
        (b"Pages of text", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"", None),
    ],
)
def test_format_by_magic_number(data: bytes, expected: str | None) -> None:
    assert headers.image_format(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\n<!DOCTYPE html><html>", "an HTML page"),
        (b"<html><body>404", "an HTML page"),
        (b"<?xml version='1.0'?><svg xmlns=", "an SVG drawing"),
        (b"PK\x03\x04rest", "a ZIP archive"),
        (b"8BPS\0\x01", "a Photoshop file"),
        (b"\xff\x0a\xfa", "a JPEG XL image"),
        (b"hello,\nworld", "a text file"),
        ("grüße".encode(), "a text file"),
        (b"\x7fELF\x02\x01\xff", "not an image in a format that is known here"),
    ],
)
def test_foreign_files_are_named(data: bytes, expected: str) -> None:
    assert headers.foreign_format(data) == expected


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65535])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_orientation_in_both_byte_orders(order: str, value: int, file_format: str) -> None:
    """Anything outside 1 to 8 counts as upright."""
    data = encode(picture(), file_format, exif=exif(value, order))
    assert headers.orientation(data, headers.image_format(data)) == (value if 1 <= value <= 8 else 1)


def test_orientation_behind_other_segments() -> None:
    """Stray bytes, fill bytes and another APP1 (XMP) before the EXIF segment; libjpeg reads such files, so do we."""
    data = encode(picture(), "JPEG", exif=exif(6, ">"))
    xmp = b"\xff\xe1" + struct.pack(">H", 2 + 40) + b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>".ljust(40)[:40]
    for junk in (b"", xmp, b"\xff\xff\xff", b"\0\0\xff\0\1", xmp + b"\0\0" + xmp):
        mixed = data[:2] + junk + data[2:]
        assert headers.orientation(mixed, "JPEG") == 6
        assert not headers.is_truncated(mixed, "JPEG")


def test_exif_after_the_pixels_of_a_png() -> None:
    data = encode(picture(), "PNG", exif=exif(5, "<"))
    start = data.index(b"eXIf") - 4
    length = 12 + int.from_bytes(data[start : start + 4], "big")
    end = data.index(b"IEND") - 4
    moved = data[:start] + data[start + length : end] + data[start : start + length] + data[end:]
    assert moved.index(b"IDAT") < moved.index(b"eXIf")
    assert headers.orientation(moved, "PNG") == 5


def test_an_end_marker_in_a_thumbnail_does_not_count() -> None:
    """A JPEG with a whole thumbnail in its EXIF segment is still cut off when its own end is missing."""
    thumbnail = encode(picture(8, 8), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(thumbnail)) + b"Exif\0\0" + thumbnail
    data = encode(picture(), "JPEG")
    data = data[:2] + segment + data[2:]
    assert not headers.is_truncated(data, "JPEG")
    assert headers.is_truncated(data[:-2], "JPEG")


@pytest.mark.parametrize(
    ("bits", "stored", "decoded"), [(1, 1, 255), (2, 1, 85), (4, 3, 51), (8, 3, 3), (16, 300, 300)]
)
def test_transparent_grey(bits: int, stored: int, decoded: int) -> None:
    """Pixels of 1, 2 and 4 bits are decoded to 0..255; the transparent grey follows them."""
    assert headers.transparent_grey(grey_png(bits, 1, [b"\0\0"], transparent=stored)) == decoded
    assert headers.transparent_grey(grey_png(bits, 1, [b"\0\0"])) is None


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_no_bytes_make_the_headers_fail(data: st.DataObject) -> None:
    """Random bytes behind a real beginning, and real files with bytes changed."""
    whole = MODES[data.draw(st.sampled_from(sorted(MODES)))]
    start = data.draw(st.integers(0, len(whole)))
    mixed = bytearray(whole[:start] + data.draw(st.binary(max_size=64)))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8)):
        if place < len(mixed):
            mixed[place] = value
    content = bytes(mixed)
    headers.foreign_format(content)
    headers.image_format(content)
    headers.transparent_grey(content)
    for file_format in FORMATS:
        assert 1 <= headers.orientation(content, file_format) <= 8
        assert headers.is_truncated(content, file_format) in (True, False)
        headers.unreadable(content, file_format)


def test_of_several_sizes_in_a_tiff_the_first_counts() -> None:
    """As in libtiff; else a large picture could pass for a small one."""
    entries = [(256, 28_000), (257, 28_000), (256, 8), (257, 8)]
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    data = b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4)
    assert headers.dimensions(data, "TIFF") == (28_000, 28_000)


def test_a_tile_much_larger_than_its_tiff_is_no_size() -> None:
    entries = [(256, 8), (257, 8), (322, 16_000), (323, 16_000)]
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    assert headers.dimensions(b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4), "TIFF") is None


def test_a_code_stream_in_another_box_is_not_the_picture() -> None:
    data = encode(picture(300, 40), "JPEG2000")
    decoy = b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 47, 0, 8, 8, 0, 0)
    free = struct.pack(">I4s", 8 + len(decoy), b"free") + decoy
    assert headers.dimensions(data[:12] + free + data[12:], "JPEG 2000") == (300, 40)


def test_long_comments_in_a_pgm() -> None:
    comment = b"".join(b"# " + b"x" * 70 + b"\n" for _ in range(200))
    assert headers.dimensions(b"P5\n" + comment + b"7 5\n255\n" + bytes(35), "PNM") == (5, 7)


@pytest.mark.parametrize(
    "head",
    [
        b"P4\n20000#20000\n1 1\n",
        b"P5 8#\n8 255\n",
        b"P5 8 8#x\n255\n",
        b"P6\n8 8\n255#\n",
        b"P5 8 8 255# c\n",
        b"P4 8# 9\n1\n",
    ],
)
def test_a_comment_right_behind_a_number_is_refused(head: bytes) -> None:
    """There OpenCV ends the number, and the comment is the next one's; others read on."""
    with pytest.raises(ImageError, match="its header has a comment right behind a number"):
        decode(head + bytes(100), ImageSpec(8, 8))


@pytest.mark.parametrize(
    "head",
    [b"P5\n# a\n#b\r8 # c\n 8\n#d\n255\n", b"P5 #8 9\n8\t8\v255 ", b"P5\r\n8 8\r\n255\n", b"P5\n8\n#\n#\n8 255\n"],
)
def test_comments_elsewhere_are_read_as_pillow_does(head: bytes) -> None:
    data = head + bytes(range(64))
    assert headers.dimensions(data, "PNM") == (8, 8)
    assert decode(data, ImageSpec(8, 8, 1)).reshape(-1).tolist() == list(range(64))

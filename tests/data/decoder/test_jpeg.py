"""The sorts of JPEG: read as other programs do, or named; and how many scans are read."""

import struct
import time

import numpy as np
import pytest

from cnnctl.data.decoder import jpeg
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode
from tests.images import encode, picture, pillow_pixels
from tests.jpegs import GREY, HEIGHT, RGB, SORTS, WIDTH, of_scans

SPEC = ImageSpec(HEIGHT, WIDTH)


def frame_changed(place: int, value: bytes) -> bytes:
    """A baseline JPEG with other bytes in its frame header, which begins with the depth at 0."""
    data = bytearray(encode(picture(), "JPEG"))
    at = data.index(b"\xff\xc0") + 4 + place
    data[at : at + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "expected", "allowed"),
    [
        ("lossless grey", np.dstack([GREY] * 3), 0),
        ("lossless rgb", RGB, 0),
        ("arithmetic", RGB, 40),
        ("arithmetic progressive", RGB, 40),
    ],
)
def test_sorts_that_are_read(name: str, expected: np.ndarray, allowed: int) -> None:
    found = decode(SORTS[name], SPEC).astype(int)
    assert np.abs(found - expected).max() <= allowed
    assert np.abs(found - pillow_pixels(SORTS[name], (0, 0, 0))).max() == 0


def test_a_jpeg_in_cmyk_without_adobes_marker_is_read_as_pillow_does() -> None:
    data = encode(picture().convert("CMYK"), "JPEG", quality=95)
    at = data.index(b"\xff\xee")
    bare = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    ycck = bytearray(data)
    ycck[at + 15] = 2
    for sort in (data, bare, bytes(ycck)):
        expected = pillow_pixels(sort, (0, 0, 0))
        assert np.abs(decode(sort, ImageSpec(*expected.shape[:2])).astype(int) - expected).max() <= 2


@pytest.mark.parametrize(
    ("data", "sort", "hint"),
    [
        (SORTS["12-bit"], "a 12-bit JPEG", "djpeg"),
        (SORTS["lossless 16-bit"], "a 16-bit lossless JPEG", "djpeg"),
        (SORTS["jpeg-ls"], "a JPEG-LS image", "ffmpeg"),
        (frame_changed(-3, b"\xc3"), "a lossless JPEG", "djpeg"),
        (frame_changed(-3, b"\xc5"), "a hierarchical JPEG", "baseline"),
        (frame_changed(1, b"\0\0"), "a JPEG that tells its height behind its pixels", "save it anew"),
        (frame_changed(5, b"\2"), "a JPEG of 2 components", "grey or RGB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sorts_that_are_not_read_are_named(data: bytes, sort: str, hint: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode(data, SPEC)
    assert caught.value.message == f"it is {sort}, which is not supported"
    assert hint in (caught.value.hint or "")


def test_as_many_scans_as_encoders_write_are_read() -> None:
    assert decode(of_scans(16, 16, jpeg.MAX_SCANS), ImageSpec(16, 16)).tolist() == np.full((16, 16, 3), 128).tolist()
    assert decode(encode(picture(), "JPEG", progressive=True), SPEC).any()


@pytest.mark.parametrize(
    "between",
    [b"", b"\xff\xff\xff", b"stray\xff\0\xff\xd3", b"\xff\xfe\0\x06\xff\xd9\xff\xd9", b"\xff\xfe\0\0", b"\xff\xe1\0\2"],
)
def test_more_scans_are_refused_wherever_they_hide(between: bytes) -> None:
    """Behind fill bytes, stray bytes, restart markers, and a comment that looks like the end."""
    with pytest.raises(ImageError, match="it is a JPEG of more than 100 scans, which is not supported"):
        decode(of_scans(16, 16, jpeg.MAX_SCANS + 1, between), SPEC)


def test_thousands_of_scans_cost_no_time() -> None:
    """A megabyte of 64 megapixels, which was minutes of decoding."""
    data = of_scans(8192, 8192, 8000)
    begun = time.process_time()
    with pytest.raises(ImageError, match="more than 100 scans"):
        decode(data, SPEC)
    assert time.process_time() - begun < 2


def test_passes_over_many_pixels_are_counted_by_the_component() -> None:
    """100 scans of 64 megapixels are refused, of 32 are not; three components in a scan are three passes."""
    with pytest.raises(ImageError, match="its scans are 100 passes over 64 megapixels") as caught:
        decode(of_scans(8192, 8192, 100), SPEC)
    assert "jpegtran" in (caught.value.hint or "")
    small = of_scans(64, 64, 100)
    jpeg.refuse_passes(small, 32 * 2**20, 64 * 2**20)
    colour = encode(picture(), "JPEG", progressive=True)
    jpeg.refuse_passes(colour, 100, 22)
    with pytest.raises(ImageError, match="its scans are 14 passes over"):
        jpeg.refuse_passes(colour, 100, 21)
    jpeg.refuse_passes(encode(picture(), "JPEG"), 2**40, 1)


def test_scans_in_a_thumbnail_and_behind_the_end_do_not_count() -> None:
    """What lies in other segments, or behind the end (another image of an MPO, a film of a phone), is not decoded."""
    data = encode(picture(), "JPEG", progressive=True)
    spare = b"\xff\xda" * 300
    inside = data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(spare)) + spare + data[2:]
    expected = decode(data, SPEC)
    for more in (inside, data + spare, inside + of_scans(16, 16, 300)):
        assert np.array_equal(decode(more, SPEC), expected)


def test_in_one_scan_nothing_is_counted() -> None:
    """Of a baseline JPEG libjpeg decodes the first scan alone."""
    data = encode(picture(), "JPEG")
    more = data[:-2] + data[data.index(b"\xff\xda") : -2] * 300 + data[-2:]
    assert np.array_equal(decode(more, SPEC), decode(data, SPEC))


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\xe1\0\0", b"\xff\x02", b"\xff\xd0", b"\0"])
def test_millions_of_markers_cost_little(filler: bytes) -> None:
    data = b"\xff\xd8\xff" + filler * (4_000_000 // len(filler))
    begun = time.process_time()
    with pytest.raises(ImageError):
        decode(data, SPEC)
    assert time.process_time() - begun < 3

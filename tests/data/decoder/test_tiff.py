"""What is read in TIFF directories, and each sort of TIFF that is named instead of being read wrongly."""

import struct
from typing import Any

import numpy as np
import pytest

from cnnctl.data.decoder import headers, tiff
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode
from tests.deep import directory, tiled_tiff
from tests.deep import tiff as write


def pixels(bands: int = 1) -> np.ndarray:
    return np.arange(6 * 8 * bands).reshape(6, 8, bands) % 2


SORTS: list[tuple[str, str, bytes]] = [
    ("a TIFF whose fourth band is not marked as an alpha channel", "keep three", write(pixels(4), 8, 2)),
    ("a TIFF whose fourth band is not marked as an alpha channel", "keep three", write(pixels(4), 8, 2, t338=(0,))),
    ("a TIFF whose fourth band is not marked as an alpha channel", "keep three", write(pixels(4), 16, 2, t338=(0,))),
    ("a TIFF whose fourth band is not marked as an alpha channel", "keep three", write(pixels(4), 16, 2)),
    ("an RGB TIFF of 5 bands", "keep three", write(pixels(5), 8, 2, t338=(0, 0))),
    ("an RGB TIFF of 5 bands", "keep three", write(pixels(5), 16, 2, t338=(2, 0))),
    ("a CMYK TIFF of 5 bands", "keep three", write(pixels(5), 8, 5, t338=(2,))),
    ("a grey TIFF with an alpha channel", "to PNG", write(pixels(2), 8, 1, t338=(2,))),
    ("a grey TIFF of 2 bands", "keep one", write(pixels(2), 8, 1)),
    ("a grey TIFF of 3 bands", "keep three", write(pixels(3), 8, 1)),
    ("a grey TIFF of 3 bands", "keep three", write(pixels(3), 16, 1, t338=(0, 0))),
    ("a grey TIFF of 12 bands", "keep three", write(pixels(12), 16, 1)),
    ("a palette TIFF of 2 bands", "to PNG", write(pixels(2), 8, 3, t320=(0,) * 768, t338=(2,))),
    ("a 16-bit TIFF whose bands lie one after the other", "to PNG", write(pixels(3), 16, 2, planar=True)),
    ("a 12-bit TIFF whose bands lie one after the other", "to PNG", write(pixels(3), 12, 2, planar=True)),
    ("a 10-bit grey TIFF whose zero is white", "to PNG", write(pixels(), 10, 0)),
    ("a 12-bit grey TIFF whose zero is white", "to PNG", write(pixels(), 12, 0)),
    ("a 14-bit grey TIFF whose zero is white", "to PNG", write(pixels(), 14, 0)),
    ("a 16-bit grey TIFF whose zero is white", "to PNG", write(pixels(), 16, 0)),
    ("a 2-bit grey TIFF", "to PNG", write(pixels(), 2, 1)),
    ("a 4-bit grey TIFF", "to PNG", write(pixels(), 4, 1)),
    ("a 6-bit grey TIFF", "to PNG", write(pixels(), 6, 1)),
    ("a 1-bit palette TIFF", "to PNG", write(pixels(), 1, 3, t320=(0, 65535) * 3)),
    ("a 2-bit palette TIFF", "to PNG", write(pixels(), 2, 3, t320=(0, 65535) * 6)),
    ("a 4-bit RGB TIFF", "to PNG", write(pixels(3), 4, 2)),
    ("a 16-bit CMYK TIFF", "to PNG", write(pixels(4), 16, 5)),
    ("an 8-bit CIELab TIFF", "to PNG", write(pixels(3), 8, 8)),
    ("an 8-bit (photometric interpretation 777) TIFF", "to PNG", write(pixels(3), 8, 777)),
    ("a TIFF of 32-bit numbers", "scale", write(pixels(), 32, 1)),
    ("a TIFF of 24-bit numbers", "scale", write(pixels(), 24, 1)),
    ("a TIFF of 32-bit floating-point numbers", "scale", write(pixels(), 32, 1, t339=(3,))),
    ("a TIFF of 16-bit floating-point numbers", "scale", write(pixels(), 16, 1, t339=(3,))),
    ("a TIFF of 8-bit signed numbers", "scale", write(pixels(), 8, 1, t339=(2,))),
    ("a TIFF of 16-bit signed numbers", "scale", write(pixels(3), 16, 2, t339=(2, 2, 2))),
    ("a TIFF whose bands differ in their bits", "scale", write(pixels(3), 8, 2, t258=(8, 8, 16))),
]


@pytest.mark.parametrize(("sort", "hint", "data"), SORTS)
def test_a_sort_that_is_not_read_is_named(sort: str, hint: str, data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        decode(data, ImageSpec(6, 8))
    assert caught.value.message == f"it is {sort}, which is not supported"
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_first_picture_stands_for_a_larger_one_below_it(order: str) -> None:
    """Neither its size nor its flag alone need give it away."""
    for flag, below in ((1, (8, 6)), (0, (80, 60)), (1, (80, 60))):
        data = with_another(order, below, {254: (flag,)}, as_sub_directory=True)
        with pytest.raises(ImageError, match="it is a TIFF whose first picture is a thumbnail"):
            decode(data, ImageSpec(6, 8))


def test_a_thumbnail_of_a_picture_that_is_not_found() -> None:
    with pytest.raises(ImageError, match="it is a TIFF whose first picture is a thumbnail"):
        decode(write(255 * pixels(), 8, 1, t254=(1,), t330=(10**6,)), ImageSpec(6, 8))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_page_that_follows_may_have_any_size(order: str) -> None:
    for size in ((2, 2), (80, 60)):
        assert decode(with_another(order, size, {}, as_sub_directory=False), ImageSpec(6, 8)).max() == 255
    assert decode(with_another(order, (4, 3), {}, as_sub_directory=True), ImageSpec(6, 8)).max() == 255


def with_another(order: str, size: tuple[int, int], tags: dict[int, Any], as_sub_directory: bool) -> bytes:
    """A picture of 8x6 and a directory of another."""
    samples = 255 * pixels()
    first = write(samples, 8, 1, order=order, **{f"t{tag}": value for tag, value in tags.items()})
    at = len(first) + 200
    own = {256: (8,), 257: (6,), 258: (8,), 259: (1,), 262: (1,), 273: (8,), 277: (1,), 278: (6,), 279: (48,)}
    own |= tags | ({330: (at,)} if as_sub_directory else {})
    (start,) = struct.unpack_from(f"{order}I", first, 4)
    whole = first[:start] + directory(own, start, order, 0 if as_sub_directory else at)
    other = {256: (size[0],), 257: (size[1],), 258: (8,), 262: (1,), 273: (8,), 279: (48,)}
    return whole.ljust(at, b"\0") + directory(other, at, order)


def test_directories_in_a_circle_end() -> None:
    data = bytearray(write(255 * pixels(), 8, 1))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * count, start)
    assert len(list(tiff.directories(bytes(data)))) == 1
    assert decode(bytes(data), ImageSpec(6, 8)).max() == 255


@pytest.mark.parametrize("kind", [5, 11, 12, 16, 17, 99])
def test_a_size_in_numbers_that_are_not_read_is_none(kind: int) -> None:
    """libtiff would follow a LONG8 to its place, where another number may stand than in the entry."""
    data = bytearray(write(pixels(), 8, 1))
    (start,) = struct.unpack_from("<I", data, 4)
    assert struct.unpack_from("<H", data, start + 2) == (256,)
    struct.pack_into("<HII", data, start + 4, kind, 1, 8)
    assert headers.dimensions(bytes(data), "TIFF") is None


def test_a_rare_compression_is_named() -> None:
    with pytest.raises(ImageError, match="it is a TIFF compressed with LERC, which is not supported"):
        decode(write(pixels(), 8, 1, t259=(34887,)), ImageSpec(6, 8))


def test_a_file_that_libtiff_takes_for_damaged_is_not_called_so() -> None:
    """Its size of tiles is wrong by rounding where it reads from memory; a libtiff that has this mended may read it."""
    samples = np.arange(20 * 20 * 3).reshape(20, 20, 3) % 256
    try:
        assert np.array_equal(decode(tiled_tiff(samples, 8, 2, 16), ImageSpec(20, 20)), samples)
    except ImageError as error:
        assert error.message == "it is an uncompressed TIFF in tiles of 16 x 16 pixels, which is not supported"  # noqa: PT017


@pytest.mark.parametrize("magic", [b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"])
def test_bigtiff_is_named(magic: bytes) -> None:
    with pytest.raises(ImageError, match="BigTIFF is not supported") as caught:
        decode(magic + bytes(100), ImageSpec(6, 8))
    assert "convert it to PNG" in (caught.value.hint or "")

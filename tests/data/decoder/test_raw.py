"""Camera RAW files are named, and their thumbnails never read."""

import struct

import pytest

from cnnctl.data.decoder.images import ImageError, ImageSpec, decode
from cnnctl.data.decoder.raw import camera_raw
from tests.data.decoder.test_tiff import pixels
from tests.deep import Tags, directory, tiff
from tests.images import every_mode

THUMBNAIL = {256: (8,), 257: (6,), 258: (8,), 259: (1,), 262: (1,), 273: (400,), 277: (1,), 278: (6,), 279: (48,)}
SENSOR = {256: (64,), 257: (48,), 258: (16,), 259: (1,), 262: (32803,), 273: (600,), 277: (1,), 279: (6144,)}


def raw(order: str, first: Tags, second: Tags, below: bool, make: bytes = b"") -> bytes:
    """Two directories, the second below the first or after it, and a maker's name."""
    at, name = 700, 6900
    tags = first | ({330: (at,)} if below else {}) | ({271: (0,) * 7} if make else {})
    data = bytearray(7000)
    data[:8] = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    data[8:308] = directory(tags, 8, order, 0 if below else at).ljust(300, b"\0")
    data[400:448] = bytes(range(48))
    data[at : at + 300] = directory(second, at, order).ljust(300, b"\0")
    if make:
        place = data.index(struct.pack(f"{order}HHI", 271, 3, 7))
        data[place : place + 12] = struct.pack(f"{order}HHII", 271, 2, 1 + len(make), name)
        data[name : name + len(make)] = make
    return bytes(data)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        (THUMBNAIL | {254: (1,)}, SENSOR, ""),
        (THUMBNAIL, SENSOR, ""),
        (THUMBNAIL | {50706: (1, 4)}, SENSOR, "DNG"),
        (THUMBNAIL | {50706: (1, 4)}, SENSOR | {262: (34892,)}, "DNG"),
        (THUMBNAIL, SENSOR | {262: (34892,)}, ""),
        (THUMBNAIL, SENSOR | {262: (1,), 259: (34713,)}, ""),
        (THUMBNAIL, SENSOR | {262: (1,), 259: (32767,)}, ""),
        (THUMBNAIL, SENSOR | {262: (1,), 33421: (2, 2)}, ""),
        (SENSOR, THUMBNAIL | {254: (1,)}, ""),
        (THUMBNAIL | {50706: (1, 4)}, THUMBNAIL, "DNG"),
    ],
)
def test_tiff_of_a_camera(order: str, below: bool, first: Tags, second: Tags, name: str) -> None:
    data = raw(order, first, second, below)
    assert camera_raw(data) == name
    with pytest.raises(ImageError) as caught:
        decode(data, ImageSpec(6, 8))
    assert caught.value.message == f"camera RAW{f' ({name})' if name else ''} is not supported"
    assert "convert it to JPEG, for example: darktable-cli photo.nef photo.jpg" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("make", "name"),
    [(b"NIKON CORPORATION", "NEF"), (b"SONY", "ARW"), (b"PENTAX", "PEF"), (b"SAMSUNG", "SRW"), (b"ACME", "")],
)
def test_the_maker_tells_the_sort(make: bytes, name: str) -> None:
    for order in "<>":
        assert camera_raw(raw(order, THUMBNAIL, SENSOR, True, make)) == name


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(50), "CR2"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "CR3"),
        (b"II\x1a\0\0\0HEAPCCDR\x02\0\x01\0", "CRW"),
        (b"IIRO\x08\0\0\0" + bytes(50), "ORF"),
        (b"IIRS\x08\0\0\0" + bytes(50), "ORF"),
        (b"MMOR\0\0\0\x08" + bytes(50), "ORF"),
        (b"IIU\0\x08\0\0\0" + bytes(50), "RW2"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(50), "RAF"),
        (b"FOVb\0\0\x02\0" + bytes(50), "X3F"),
        (b"\0MRM\0\0\x10\0" + bytes(50), "MRW"),
        (b"II*\0\0\0\x01\0IIIITwaR" + bytes(50), "IIQ"),
    ],
)
def test_formats_with_a_magic_number_of_their_own(data: bytes, name: str) -> None:
    with pytest.raises(ImageError, match=rf"camera RAW \({name}\) is not supported"):
        decode(data, ImageSpec(6, 8))


@pytest.mark.parametrize("name", every_mode())
def test_no_other_image_is_one(name: str) -> None:
    assert camera_raw(every_mode()[name]) is None


def test_a_tiff_that_a_camera_wrote_is_read() -> None:
    """With its maker's name, and a thumbnail below or behind the picture."""
    for below in (False, True):
        picture = THUMBNAIL | {254: (0,)}
        data = raw("<", picture, THUMBNAIL | {254: (1,), 256: (4,), 257: (3,)}, below, b"SONY")
        assert decode(data, ImageSpec(6, 8))[:, :, 0].ravel().tolist() == list(range(48))


def test_a_picture_that_only_calls_itself_a_thumbnail_is_read() -> None:
    assert decode(tiff(255 * pixels(), 8, 1, t254=(1,)), ImageSpec(6, 8)).max() == 255

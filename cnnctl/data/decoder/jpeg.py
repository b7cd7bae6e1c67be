"""What stands in a JPEG file before and between its pixels: its frame, its scans, and the sorts that are not read.

Source: ITU T.81, annex B; the walk over markers is libjpeg's, so that no scan is missed that it would decode.
"""

import re
import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from cnnctl.data.decoder.refusals import counted

MAX_SCANS = 100
"""Scans of one image: encoders write up to about 20, and each costs a pass over all pixels."""

START_OF_SCAN, END_OF_IMAGE, APP1 = 0xDA, 0xD9, 0xE1
_PROGRESSIVE, _LOSSLESS, _DIFFERENTIAL = (0xC2, 0xCA), (0xC3, 0xCB), (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF)
_JPEG_LS = 0xF7
_WITH_DJPEG = "convert it with djpeg of libjpeg-turbo 3: djpeg photo.jpg > photo.ppm"
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")  # what libjpeg stops at: no stuffing, no restart


class Segment(NamedTuple):
    """A marker and where its contents lie."""

    marker: int
    start: int
    end: int


class Frame(NamedTuple):
    """The frame header."""

    marker: int
    bits: int
    height: int
    width: int
    components: int


def _segments(data: bytes) -> Iterator[Segment]:
    """Every segment up to the end of the image, over the pixels in between."""
    at = 2
    while (found := _MARKER.search(data, at)) is not None and found.start() <= len(data) - 4:
        marker, at = data[found.end() - 1], found.end()
        if marker == END_OF_IMAGE:
            return
        if marker < 0xC0:  # unknown: libjpeg gives up, or goes on behind the two bytes
            continue
        length = max(2, int.from_bytes(data[at : at + 2], "big"))
        yield Segment(marker, at + 2, at + length)
        at += length


def head(data: bytes) -> list[Segment]:
    """The segments before the pixels; the last one is the start of the first scan.

    Raises:
        ImageError: there are too many.
    """
    found = []
    for segment in counted(_segments(data)):
        found.append(segment)
        if segment.marker == START_OF_SCAN:
            break
    return found


def is_cut_off(data: bytes) -> bool:
    """Whether the end of the image is missing."""
    segments = head(data)
    last = segments[-1] if segments else None
    return last is None or last.marker != START_OF_SCAN or data.find(b"\xff\xd9", last.end) < 0


def frame(data: bytes) -> Frame | None:
    """The first frame header before the pixels.

    Raises:
        struct.error: it is cut off.
    """
    for marker, start, _ in head(data):
        if marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return Frame(marker, *struct.unpack_from(">BHHB", data, start))
    return None


def is_grey(data: bytes) -> bool:
    """Whether there is one component."""
    found = frame(data)
    return found is not None and found.components == 1


def is_grey_and_lossless(data: bytes) -> bool:
    """Whether it must be asked for as grey: libjpeg converts no colours of a lossless JPEG."""
    found = frame(data)
    return found is not None and found.marker in _LOSSLESS and found.components == 1


def size(data: bytes) -> tuple[int, int] | None:
    """(height, width)."""
    found = frame(data)
    return (found.height, found.width) if found is not None else None


def exif(data: bytes) -> bytes | None:
    """The EXIF block."""
    apps = ((start, end) for marker, start, end in head(data) if marker == APP1)
    return next((data[at + 6 : end] for at, end in apps if data[at : at + 6] == b"Exif\x00\x00"), None)


def unreadable(data: bytes) -> tuple[str, str] | None:
    """The sort of JPEG and a hint, where OpenCV cannot read it, or would take minutes.

    Arithmetic codes and all sorts of CMYK it reads as Pillow does.
    """
    found = frame(data)
    if found is None:
        return None  # damaged
    if found.marker == _JPEG_LS:
        return "a JPEG-LS image", "convert it to PNG, for example: ffmpeg -i image.jls image.png"
    if found.marker in _DIFFERENTIAL:
        return "a hierarchical JPEG", "save it as a baseline JPEG with the program that made it"
    lossless = "lossless " if found.marker in _LOSSLESS else ""
    if found.bits != 8:
        return f"a {found.bits}-bit {lossless}JPEG", _WITH_DJPEG
    if not found.height and found.width:
        return "a JPEG that tells its height behind its pixels", "save it anew with another program"
    if found.components not in (1, 3, 4):
        return f"a {lossless}JPEG of {found.components} components", "save it as grey or RGB"
    if _is_kept_whole(data, found) and _has_too_many_scans(data):
        return f"a JPEG of more than {MAX_SCANS} scans", "save it anew, for example: jpegtran old.jpg > new.jpg"
    return None


def rare_sort(data: bytes) -> tuple[str, str] | None:
    """The sort of JPEG and a hint, where OpenCV reads only some files of it."""
    found = frame(data)
    return ("a lossless JPEG", _WITH_DJPEG) if found is not None and found.marker in _LOSSLESS else None


def bytes_of_a_pixel(data: bytes) -> int:
    """Of memory while it is decoded."""
    found = frame(data)
    if found is None:
        return 0
    return 5 + found.components * (2 if _is_kept_whole(data, found) else 1)


def _is_kept_whole(data: bytes, found: Frame) -> bool:
    """Whether the coefficients of all pixels are kept, and every scan is a pass over them."""
    scan = next((segment for segment in head(data) if segment.marker == START_OF_SCAN), None)
    return found.marker in _PROGRESSIVE or (scan is not None and data[scan.start] < found.components)


def _has_too_many_scans(data: bytes) -> bool:
    scans = (segment for segment in counted(_segments(data)) if segment.marker == START_OF_SCAN)
    return next(islice(scans, MAX_SCANS, None), None) is not None

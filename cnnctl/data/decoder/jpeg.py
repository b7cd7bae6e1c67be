"""What stands in a JPEG file before and between its pixels: its frame, its scans, and the sorts that are not read.

Source: ITU T.81, annex B; the walk over markers is libjpeg's, so that no scan is missed that it would decode.
"""

import re
import struct
import threading
from typing import NamedTuple

from cnnctl.data.decoder.refusals import MAX_PARTS, ImageError, too_many

MAX_SCANS = 100
"""Scans of one image: encoders write up to about 20, and each costs time, however small it is."""

MAX_PASSES = 64
"""Passes over an image of as many pixels as are allowed, of one component each: encoders need 14 to 30."""

START_OF_SCAN, END_OF_IMAGE, APP1 = 0xDA, 0xD9, 0xE1
_PROGRESSIVE, _LOSSLESS, _DIFFERENTIAL = (0xC2, 0xCA), (0xC3, 0xCB), (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF)
_JPEG_LS = 0xF7
SAVE_ANEW = "save it anew, for example: jpegtran old.jpg > new.jpg"
_WITH_DJPEG = "convert it with djpeg of libjpeg-turbo 3: djpeg photo.jpg > photo.ppm"
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")  # at others libjpeg gives up, or goes on behind them


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


def _segments(data: bytes, *, of_head: bool) -> list[Segment]:
    """The segments up to the first start of scan, or up to the end of the image, over the pixels in between.

    Raises:
        ImageError: there are too many.
    """
    segments: list[Segment] = []
    at, last = 2, len(data) - 4
    while 0 <= (at := data.find(b"\xff", at)) <= last:
        marker = data[at + 1]
        if marker < 0xC0 or marker == 0xFF or 0xD0 <= marker <= 0xD8:
            found = _MARKER.search(data, at)
            if found is None:
                break
            at = found.start()
            continue
        if marker == END_OF_IMAGE:
            break
        if len(segments) == MAX_PARTS:
            raise too_many(MAX_PARTS)
        start = at + 4
        at += 2 + max(2, data[at + 2] << 8 | data[at + 3])
        segments.append(Segment(marker, start, at))
        if marker == START_OF_SCAN and of_head:
            break
    return segments


_latest = threading.local()  # the small file that this thread asks several questions about
_SMALL = 2**20


def head(data: bytes) -> list[Segment]:
    """The segments before the pixels; the last one is the start of the first scan.

    Raises:
        ImageError: there are too many.
    """
    if getattr(_latest, "data", None) is data:
        found: list[Segment] = _latest.segments
        return found
    found = _segments(data, of_head=True)
    if type(data) is bytes and len(data) <= _SMALL:  # what cannot change, and may stay in memory
        _latest.data, _latest.segments = data, found
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
    return _frame(data, head(data))


def _frame(data: bytes, segments: list[Segment]) -> Frame | None:
    for marker, start, _ in segments:
        if marker == _JPEG_LS or (marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
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
    segments = head(data)
    found = _frame(data, segments)
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
    if _is_kept_whole(data, segments, found) and _has_too_many_scans(data):
        return f"a JPEG of more than {MAX_SCANS} scans", SAVE_ANEW
    return None


def rare_sort(data: bytes) -> tuple[str, str] | None:
    """The sort of JPEG and a hint, where OpenCV reads only some files of it."""
    found = frame(data)
    return ("a lossless JPEG", _WITH_DJPEG) if found is not None and found.marker in _LOSSLESS else None


def bytes_of_a_pixel(data: bytes) -> int:
    """Of memory while it is decoded."""
    segments = head(data)
    found = _frame(data, segments)
    if found is None:
        return 0
    return 5 + found.components * (2 if _is_kept_whole(data, segments, found) else 1)


def _is_kept_whole(data: bytes, segments: list[Segment], found: Frame) -> bool:
    """Whether the coefficients of all pixels are kept, and every scan is a pass over them."""
    first_scan = segments[-1]
    return found.marker in _PROGRESSIVE or data[first_scan.start] < found.components


def _has_too_many_scans(data: bytes) -> bool:
    return len(_scans(data)) > MAX_SCANS


def _scans(data: bytes) -> list[Segment]:
    return [segment for segment in _segments(data, of_head=False) if segment.marker == START_OF_SCAN]


def refuse_passes(data: bytes, pixels: int, max_pixels: int) -> None:
    """Refuse a JPEG whose scans go over its pixels more often than is allowed for the largest image.

    Raises:
        ImageError: they do.
    """
    segments = head(data)
    found = _frame(data, segments)
    if found is None or not _is_kept_whole(data, segments, found):
        return
    passes = sum(min(data[scan.start], found.components) for scan in _scans(data) if scan.start < len(data))
    if passes * pixels > MAX_PASSES * max_pixels:
        raise ImageError(f"its scans are {passes} passes over {pixels / 2**20:.0f} megapixels", SAVE_ANEW)

"""What the first bytes of an image file say: its format, its size, its EXIF orientation, whether it is whole."""

import struct
from collections.abc import Callable

from cnnctl.data.decoder import av1, jpeg2000, pnm, tiff
from cnnctl.data.decoder.raw import camera_raw

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
)
_FOREIGN = (
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
)
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
CONVERSIONS = {
    "HEIC": "convert it to JPEG, for example: heif-convert photo.heic photo.jpg",
    "camera RAW": "convert it to JPEG, for example: darktable-cli photo.nef photo.jpg",
    "BigTIFF": "convert it to PNG, for example: magick image.tif image.png",
    "PAM": "convert it to PNG, for example: pamtopng image.pam > image.png",
    "PFM": "convert it to PNG, for example: magick image.pfm image.png",
}
"""How to convert files of the formats that are known here and cannot be read."""


def image_format(data: bytes) -> str | None:
    """The format by its magic number: `JPEG`, `PNG`, `GIF`, `BMP`, `TIFF`, `WebP`, `AVIF`, `PNM`, `JPEG 2000`.

    Or one of `CONVERSIONS`, which cannot be read; else None.
    """
    if camera_raw(data) is not None:
        return "camera RAW"
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        if data[8:12] in (b"avif", b"avis") or b"avif" in data[16:64]:
            return "AVIF"
        return "HEIC" if data[8:12] in _HEIC_BRANDS else None
    if len(data) > 2 and data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "PNM"
    if data[:4] in (b"II+\0", b"MM\0+"):
        return "BigTIFF"
    if data[:3] == b"P7\n":
        return "PAM"
    return "PFM" if data[:3] in (b"PF\n", b"Pf\n") else None


def foreign_format(data: bytes) -> str:
    """What a file is that is no image, in words."""
    for magic, name in _FOREIGN:
        if data.startswith(magic):
            return name
    head = data[:512].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if head.startswith(b"<svg") or b"<svg" in head:
        return "an SVG drawing"
    try:
        text = data[:512].decode("utf-8")
    except UnicodeDecodeError:
        return "not an image in a format that is known here"
    is_text = all(char.isprintable() or char.isspace() for char in text)
    return "a text file" if is_text else "not an image in a format that is known here"


def is_truncated(data: bytes, file_format: str) -> bool:
    """Whether the end of a JPEG or a PNG, or what a TIFF's first directory points at, is missing.

    OpenCV finds out by itself in other formats; here it would fill in what is not there.
    """
    if file_format == "JPEG":
        segments = _jpeg_segments(data)
        return not segments or segments[-1][0] != 0xDA or data.find(b"\xff\xd9", segments[-1][2]) < 0
    if file_format == "PNG":
        # chunk by chunk: OpenCV would take memory for a chunk of 4 GB that is not there
        return _chunk(data, 8, b"IEND", ">I4s", 4) is None
    if file_format == "TIFF":
        return tiff.is_cut_off(data)
    return False


def dimensions(data: bytes, file_format: str) -> tuple[int, int] | None:
    """(height, width) in pixels before any turning; None where the header does not tell.

    Sources: PNG 1.2, section 4.1.1; ITU T.81, B.2.2; GIF89a, section 18; BITMAPINFOHEADER; RFC 9649; TIFF 6.0;
    ISO/IEC 23008-12, box `ispe` (the largest of several); ISO/IEC 15444-1, A.5.1; netpbm(5).
    """
    try:
        size = _SIZES[file_format](data) if file_format in _SIZES else None
    except (struct.error, IndexError, ValueError):
        return None
    return size if size is not None and min(size) > 0 else None


def _height_after_width(data: bytes, form: str, at: int) -> tuple[int, int]:
    width, height = struct.unpack_from(form, data, at)
    return height, width


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    for marker, start, _ in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, start + 1)
            return height, width
    return None


def _bmp_size(data: bytes) -> tuple[int, int]:
    old = struct.unpack_from("<I", data, 14)[0] == 12
    height, width = _height_after_width(data, "<HH" if old else "<ii", 18)
    return abs(height), abs(width)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[27:30], "little"), 1 + int.from_bytes(data[24:27], "little")
    if kind == b"VP8 ":
        height, width = _height_after_width(data, "<HH", 26)
        return height & 0x3FFF, width & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    return None


def _avif_size(data: bytes) -> tuple[int, int] | None:
    """The largest of what the boxes claim and what the frames are: the boxes of a stranger may lie."""
    frame = av1.largest_frame(data)
    if frame is None:
        return None
    found = [frame]
    at = -1
    while (at := data.find(b"ispe", at + 1)) >= 0 and at + 16 <= len(data):
        found.append(_height_after_width(data, ">II", at + 8))
    return max(found, key=lambda size: size[0] * size[1])


def _jpeg_2000_size(data: bytes) -> tuple[int, int] | None:
    at = 0
    while data[at : at + 4] != b"\xff\x4f\xff\x51":  # over the boxes, up to the one with the code stream
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        if kind == b"jp2c":
            length = head
        if length < head:
            return None
        at += length
    right, bottom, left, top = struct.unpack_from(">IIII", data, at + 8)
    return bottom - top, right - left


_SIZES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "PNG": lambda data: _height_after_width(data, ">II", 16),
    "JPEG": _jpeg_size,
    "GIF": lambda data: _height_after_width(data, "<HH", 6),
    "BMP": _bmp_size,
    "TIFF": tiff.size,
    "WebP": _webp_size,
    "AVIF": _avif_size,
    "JPEG 2000": _jpeg_2000_size,
    "PNM": lambda data: pnm.header(data)[:2],
}


def unreadable(data: bytes, file_format: str) -> tuple[str, str] | None:
    """The sort of image and a hint, where OpenCV cannot read it, or would read it wrongly without a word."""
    match file_format:
        case "TIFF":
            return tiff.unreadable(data)
        case "JPEG 2000":
            return jpeg2000.unreadable(data)
        case "AVIF":
            return av1.unreadable(data)
    return None


def still_png(data: bytes) -> bytes:
    """A PNG without its animation: what a reader shows that knows of none.

    OpenCV's reader of animations leaves memory as it was where a frame is damaged, and other images' pixels lie there.
    """
    if b"acTL" not in data:
        return data
    parts, at = [data[:8]], 8
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in (b"acTL", b"fcTL", b"fdAT"):
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


def transparent_grey(data: bytes) -> int | None:
    """The grey that a grey PNG's tRNS chunk makes transparent, as the value of a decoded pixel; else None."""
    payload = _chunk(data, 8, b"tRNS", ">I4s", 4)
    if payload is None or len(payload) != 2 or len(data) < 25:
        return None
    bits = data[24]
    grey = int.from_bytes(payload, "big")
    return grey * 255 // (2**bits - 1) if bits in (1, 2, 4) else grey


def orientation(data: bytes, file_format: str) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where there is none. (OpenCV turns TIFF files by itself.)

    Source: CIPA DC-008 (Exif 2.32), tag 0x0112; for AVIF the boxes `irot` and `imir` of ISO/IEC 23008-12.
    """
    exif = None
    if file_format == "JPEG":
        apps = ((start, end) for marker, start, end in _jpeg_segments(data) if marker == 0xE1)
        exif = next((data[at + 6 : end] for at, end in apps if data[at : at + 6] == b"Exif\x00\x00"), None)
    elif file_format == "PNG":
        exif = _chunk(data, 8, b"eXIf", ">I4s", 4)
    elif file_format == "WebP":
        exif = _chunk(data, 12, b"EXIF", "<4sI", 0)
        exif = exif[6:] if exif and exif.startswith(b"Exif\x00\x00") else exif
    elif file_format == "AVIF":
        return _avif_orientation(data)
    directory = tiff.first_directory(exif or b"")
    found = directory.first(tiff.ORIENTATION, 1) if directory is not None else 1
    return found if 1 <= found <= 8 else 1


_AVIF = {(0, None): 1, (0, 1): 2, (0, 0): 4, (1, None): 8, (1, 0): 5, (1, 1): 7}
_AVIF |= {(2, None): 3, (2, 1): 4, (2, 0): 2, (3, None): 6, (3, 0): 7, (3, 1): 5}


def _avif_orientation(data: bytes) -> int:
    """`irot` turns by quarters against the clock, then `imir` mirrors: top to bottom (0) or left to right (1)."""
    boxes = data[: data.find(b"mdat")]
    turn, mirror = boxes.find(b"\x00\x00\x00\x09irot"), boxes.find(b"\x00\x00\x00\x09imir")
    angle = boxes[turn + 8] & 3 if turn >= 0 else 0
    return _AVIF[angle, boxes[mirror + 8] & 1 if mirror >= 0 else None]


def _jpeg_segments(data: bytes) -> list[tuple[int, int, int]]:
    """(marker, start, end) of the segments before the image data; the last one is the start of scan."""
    segments = []
    at = 2
    while 0 <= (at := data.find(b"\xff", at)) <= len(data) - 4:  # like libjpeg, over stray bytes to the next marker
        marker = data[at + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        segments.append((marker, at + 4, at + 2 + length))
        if marker == 0xDA:
            break
        at += 2 + length
    return segments


def _chunk(data: bytes, at: int, wanted: bytes, head: str, checksum: int) -> bytes | None:
    """The payload of a chunk of a PNG (length before name) or a RIFF file (name before length, padded to even)."""
    while at + 8 <= len(data):
        first, second = struct.unpack_from(head, data, at)
        name, length = (second, first) if isinstance(first, int) else (first, second)
        if name == wanted:
            return data[at + 8 : at + 8 + length]
        at += 8 + length + checksum + (length % 2 if not checksum else 0)
    return None

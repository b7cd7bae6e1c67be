"""What the first bytes of an image file say: its format, its size, its EXIF orientation, whether it is whole.

The module of a format is imported for the first image of it: `predict` of a PNG needs none of them.
"""

import struct
from collections.abc import Iterator

from cnnctl.data.decoder.raw import camera_raw
from cnnctl.data.decoder.refusals import ImageError, as_reason, counted
from cnnctl.errors import how_to_install

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
    (b"II\xbc\x01", "a JPEG XR image"),
)
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_CONVERSIONS = {
    "HEIC": "convert it to JPEG, for example: heif-convert photo.heic photo.jpg",
    "camera RAW": "convert it to JPEG, for example: darktable-cli photo.nef photo.jpg",
    "BigTIFF": "convert it to PNG, for example: magick image.tif image.png",
    "PAM": "convert it to PNG, for example: pamtopng image.pam > image.png",
    "PFM": "convert it to PNG, for example: magick image.pfm image.png",
}
"""How to convert files of the formats that are known here and cannot be read, HEIC unless its extra is installed."""

_DAMAGED = "it is damaged: its header cannot be read"


@as_reason(_DAMAGED)
def not_read(data: bytes, file_format: str) -> tuple[str, str] | None:
    """What is said of a file in a format that is known here and cannot be read, and a hint; None for one that can."""
    sort, mend = camera_raw(data), _CONVERSIONS.get(file_format)
    if mend is None:
        return None
    if file_format == "HEIC":
        from cnnctl.data.decoder import heif

        missing = "HEIC needs pillow-heif, which is not installed", f"{how_to_install('heic')}; or {mend}"
        return None if heif.is_installed() else missing
    return f"{file_format}{f' ({sort})' if sort else ''} is not supported", mend


@as_reason(_DAMAGED)
def image_format(data: bytes) -> str | None:
    """The format by its magic number: `JPEG`, `PNG`, `GIF`, `BMP`, `TIFF`, `WebP`, `AVIF`, `PNM`, `JPEG 2000`.

    `HEIC`, for all HEIF images but AVIF, is read by an extra. Or another one of `not_read`, or None.
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


@as_reason(_DAMAGED)
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


@as_reason(_DAMAGED)
def is_truncated(data: bytes, file_format: str) -> bool:
    """Whether the end of a JPEG or a PNG, or what a TIFF's first directory points at, is missing.

    Their decoders find out by themselves in other formats; here OpenCV would fill in what is not there.
    """
    if file_format == "JPEG":
        from cnnctl.data.decoder import jpeg

        return jpeg.is_cut_off(data)
    if file_format == "PNG":
        # chunk by chunk: OpenCV would take memory for a chunk of 4 GB that is not there
        return _chunk(data, "PNG", b"IEND") is None
    if file_format == "TIFF":
        from cnnctl.data.decoder import tiff

        return tiff.is_cut_off(data)
    return False


@as_reason(_DAMAGED)
def dimensions(data: bytes, file_format: str) -> tuple[int, int] | None:
    """(height, width) in pixels before any turning; None where the header does not tell.

    Sources: PNG 1.2, section 4.1.1; ITU T.81, B.2.2; GIF89a, section 18; BITMAPINFOHEADER; RFC 9649; TIFF 6.0;
    ISO/IEC 23008-12, box `ispe` (the largest of several); ISO/IEC 15444-1, A.5.1; netpbm(5).
    """
    try:
        size = _size(data, file_format)
    except ImageError:
        raise
    except Exception:  # a stranger's bytes: whatever they lead to, the header does not tell
        return None
    return size if size is not None and min(size) > 0 else None


def _height_after_width(data: bytes, form: str, at: int) -> tuple[int, int]:
    width, height = struct.unpack_from(form, data, at)
    return height, width


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
    from cnnctl.data.decoder import av1

    frame = av1.largest_frame(data)
    if frame is None:
        return None
    claims = (_height_after_width(data, ">II", at + 4) for at in av1.boxes(data, b"ispe") if at + 12 <= len(data))
    return max([frame, *claims], key=lambda size: size[0] * size[1])


def _jpeg_2000_size(data: bytes) -> tuple[int, int]:
    from cnnctl.data.decoder import jpeg2000

    right, bottom, left, top = struct.unpack_from(">IIII", data, jpeg2000.code_stream(data) + 8)
    return bottom - top, right - left


def _size(data: bytes, file_format: str) -> tuple[int, int] | None:
    match file_format:
        case "PNG":
            return _height_after_width(data, ">II", 16)
        case "JPEG":
            from cnnctl.data.decoder import jpeg

            return jpeg.size(data)
        case "GIF":
            return _height_after_width(data, "<HH", 6)
        case "BMP":
            from cnnctl.data.decoder import bmp

            return bmp.size(data)
        case "TIFF":
            from cnnctl.data.decoder import tiff

            return tiff.size(data)
        case "WebP":
            return _webp_size(data)
        case "AVIF":
            return _avif_size(data)
        case "HEIC":
            from cnnctl.data.decoder import hevc

            return hevc.largest(data)
        case "JPEG 2000":
            return _jpeg_2000_size(data)
        case "PNM":
            from cnnctl.data.decoder import pnm

            return pnm.header(data)[:2]
    return None


@as_reason(_DAMAGED)
def unreadable(data: bytes, file_format: str) -> tuple[str, str] | None:
    """The sort of image and a hint, where OpenCV cannot read it, or would read it wrongly without a word."""
    match file_format:
        case "JPEG":
            from cnnctl.data.decoder import jpeg

            return jpeg.unreadable(data)
        case "BMP":
            from cnnctl.data.decoder import bmp

            return bmp.unreadable(data)
        case "TIFF":
            from cnnctl.data.decoder import tiff

            return tiff.unreadable(data)
        case "JPEG 2000":
            from cnnctl.data.decoder import jpeg2000

            return jpeg2000.unreadable(data)
        case "AVIF":
            from cnnctl.data.decoder import av1

            return av1.unreadable(data)
        case "HEIC":
            from cnnctl.data.decoder import hevc

            return hevc.unreadable(data)
    return None


@as_reason(_DAMAGED)
def rare_sort(data: bytes, file_format: str) -> tuple[str, str] | None:
    """The sort of image and a hint, where OpenCV reads only some files of it, for one that it did not read."""
    if file_format == "JPEG":
        from cnnctl.data.decoder import jpeg

        return jpeg.rare_sort(data)
    if file_format == "TIFF":
        from cnnctl.data.decoder import tiff

        sort = tiff.undecodable(data)
        return None if sort is None else (sort, tiff.TO_PNG)
    return None


@as_reason(_DAMAGED)
def still_png(data: bytes) -> bytes:
    """A PNG without its animation: what a reader shows that knows of none.

    OpenCV's reader of animations leaves memory as it was where a frame is damaged, and other images' pixels lie there.
    """
    if b"acTL" not in data:
        return data
    kept = (data[at - 8 : end] for name, at, end in _chunks(data, "PNG") if name not in (b"acTL", b"fcTL", b"fdAT"))
    return data[:8] + b"".join(kept)


@as_reason(_DAMAGED)
def transparent_grey(data: bytes) -> int | None:
    """The grey that a grey PNG's tRNS chunk makes transparent, as the value of a decoded pixel; else None."""
    payload = _chunk(data, "PNG", b"tRNS")
    if payload is None or len(payload) != 2 or len(data) < 25:
        return None
    bits = data[24]
    grey = int.from_bytes(payload, "big")
    return grey * 255 // (2**bits - 1) if bits in (1, 2, 4) else grey


@as_reason(_DAMAGED)
def has_transparent_colours(data: bytes) -> bool:
    """Whether a PNG makes some of its colours transparent."""
    return _chunk(data, "PNG", b"tRNS") is not None


@as_reason(_DAMAGED)
def orientation(data: bytes, file_format: str) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where there is none. (OpenCV turns TIFF, libheif HEIC by itself.)

    Source: CIPA DC-008 (Exif 2.32), tag 0x0112; for AVIF the boxes `irot` and `imir` of ISO/IEC 23008-12.
    """
    exif = None
    if file_format == "JPEG":
        from cnnctl.data.decoder import jpeg

        exif = jpeg.exif(data)
    elif file_format == "PNG":
        exif = _chunk(data, "PNG", b"eXIf")
    elif file_format == "WebP":
        exif = _chunk(data, "WebP", b"EXIF")
        exif = exif[6:] if exif and exif.startswith(b"Exif\x00\x00") else exif
    elif file_format == "AVIF":
        return _avif_orientation(data)
    if not exif:
        return 1
    from cnnctl.data.decoder import tiff

    directory = tiff.first_directory(exif)
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


def _chunk(data: bytes, file_format: str, wanted: bytes) -> bytes | None:
    """The payload of the first chunk of a name."""
    found = ((at, end) for name, at, end in _chunks(data, file_format) if name == wanted)
    return next((data[at : end - (4 if file_format == "PNG" else 0)] for at, end in found), None)


def _chunks(data: bytes, file_format: str) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end with its checksum) of the chunks of a PNG or of a WebP, whose lengths are padded to even."""

    def walk() -> Iterator[tuple[bytes, int, int]]:
        at = 8 if file_format == "PNG" else 12
        while at + 8 <= len(data):
            if file_format == "PNG":
                length, name = struct.unpack_from(">I4s", data, at)
                end = at + 8 + length + 4
            else:
                name, length = struct.unpack_from("<4sI", data, at)
                end = at + 8 + length
            yield name, at + 8, end
            at = end if file_format == "PNG" else end + length % 2

    return counted(walk())

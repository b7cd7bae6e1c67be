"""What the directories of a TIFF file say, and which sorts of TIFF OpenCV would read wrongly without a word.

Sources: TIFF 6.0, sections 2 to 8 and 18 to 23; TIFF Technical Note 1 (`SubIFDs`).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 0x00FE, 0x0100, 0x0101, 0x0102, 0x0103, 0x0106
ORIENTATION, SAMPLES, PLANAR, EXTRA, FORMAT = 0x0112, 0x0115, 0x011C, 0x0152, 0x0153
_OLD_SUBFILE, _TILE_WIDTH, _TILE_HEIGHT, _SUB_DIRECTORIES = 0x00FF, 0x0142, 0x0143, 0x014A

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_PREMULTIPLIED, _STRAIGHT = 1, 2
_BANDS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
_NUMBERS = {2: "signed numbers", 3: "floating-point numbers", 5: "complex numbers", 6: "complex numbers"}
_COLOURS = {_WHITE_IS_ZERO: "grey", _BLACK_IS_ZERO: "grey", _RGB: "RGB", _PALETTE: "palette", 4: "mask"}
_COLOURS |= {_CMYK: "CMYK", _YCBCR: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab"}
_READABLE_BITS = {_WHITE_IS_ZERO: (1, 8), _BLACK_IS_ZERO: (1, 8, 10, 12, 14, 16), _RGB: (8, 10, 12, 14, 16)}
_READABLE_BITS |= {_PALETTE: (4, 8), _CMYK: (8,), _YCBCR: (8,)}
_COMPRESSIONS = {34661: "JBIG", 34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 34887: "LERC"}
_COMPRESSIONS |= {34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"}

TO_PNG = "convert it to PNG, for example: magick image.tif image.png"
_KEEP_ONE = "keep one of its bands, for example: gdal_translate -b 1 image.tif image.png"
_KEEP_THREE = "keep three of its bands, for example: gdal_translate -b 1 -b 2 -b 3 image.tif image.png"
_SCALE = "scale its values to 8 bits, for example: gdal_translate -ot Byte -scale image.tif image.png"

_LARGEST_TILE = 2**20  # pixels that a tile of a small picture may have
_MOST_DIRECTORIES = 32
_MOST_ENTRIES = 4096  # of one directory: libtiff refuses more
_MOST_VALUES = 64  # of one tag
_KINDS = {1: (1, "B"), 2: (1, "B"), 3: (2, "H"), 4: (4, "I"), 6: (1, "b"), 7: (1, "B"), 8: (2, "h"), 9: (4, "i")}
_KINDS |= {13: (4, "I")}
_KIND_BYTES = {kind: size for kind, (size, _) in _KINDS.items()} | {5: 8, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8, 18: 8}


@dataclass(frozen=True)
class Directory:
    """The whole numbers and characters of each tag of one directory; of several entries the first, as in libtiff."""

    at: int
    tags: dict[int, tuple[int, ...]]
    next: int = 0
    is_cut_off: bool = False

    def first(self, tag: int, default: int = 0) -> int:
        """The first value of a tag."""
        return self.tags.get(tag, (default,))[0]

    def text(self, tag: int) -> str:
        """The value of a tag as text."""
        return bytes(value & 255 for value in self.tags.get(tag, ())).split(b"\0")[0].decode("latin-1")

    @property
    def below(self) -> tuple[int, ...]:
        """Where the directories below it begin."""
        return self.tags.get(_SUB_DIRECTORIES, ())

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.first(HEIGHT) * self.first(WIDTH)

    @property
    def is_thumbnail(self) -> bool:
        """Whether it calls itself a smaller version of another picture."""
        return bool(self.first(SUBFILE) & 1) or self.first(_OLD_SUBFILE) == 2


def first_directory(data: bytes) -> Directory | None:
    """That of the picture which readers show; None where there is none."""
    return next(directories(data), None)


def directories(data: bytes) -> Iterator[Directory]:
    """All directories, each once: those that follow one another, and those below them."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return
    waiting = [struct.unpack_from(f"{order}I", data, 4)[0]]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen or not 8 <= at <= len(data) - 2:
            continue
        seen.add(at)
        directory = _directory(data, at, order)
        yield directory
        waiting += [*directory.below, directory.next]


def _directory(data: bytes, at: int, order: str) -> Directory:
    (count,) = struct.unpack_from(f"{order}H", data, at)
    end = at + 2 + 12 * min(count, _MOST_ENTRIES)
    tags: dict[int, tuple[int, ...]] = {}
    cut_off = False
    for place in range(at + 2, min(end, len(data) - 11), 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", data, place)
        size = _KIND_BYTES.get(kind, 0) * number
        start = place + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, place + 8)[0]
        if start + size > len(data):
            cut_off = True
        elif kind in _KINDS and number and tag not in tags:
            form = f"{order}{min(number, _MOST_VALUES)}{_KINDS[kind][1]}"
            tags[tag] = struct.unpack_from(form, data, start)
        else:
            tags.setdefault(tag, (0,))
    following = struct.unpack_from(f"{order}I", data, end)[0] if end + 4 <= len(data) else 0
    return Directory(at, tags, following, cut_off)


def size(data: bytes) -> tuple[int, int]:
    """(height, width) of the first picture.

    Raises:
        ValueError: a tile is much larger than the picture.
    """
    directory = first_directory(data) or Directory(0, {})
    tile = directory.first(_TILE_WIDTH) * directory.first(_TILE_HEIGHT)
    if tile > max(directory.pixels, _LARGEST_TILE):
        raise ValueError("a tile is larger than the picture")
    return directory.first(HEIGHT), directory.first(WIDTH)


def is_cut_off(data: bytes) -> bool:
    """Whether something that the first directory points at is missing."""
    directory = first_directory(data)
    return directory is not None and directory.is_cut_off


def bits_of(directory: Directory) -> int:
    """Bits of a sample; 1 where nothing is said."""
    return directory.first(BITS, 1)


def is_premultiplied(data: bytes) -> bool:
    """Whether the colours were multiplied by the alpha channel."""
    directory = first_directory(data)
    return directory is not None and directory.first(EXTRA) == _PREMULTIPLIED


def undecodable(data: bytes) -> str | None:
    """The sort of TIFF, where it is one that few builds of OpenCV's libtiff can decode."""
    directory = first_directory(data)
    if directory is None:
        return None
    compression, width, height = (directory.first(tag) for tag in (COMPRESSION, _TILE_WIDTH, _TILE_HEIGHT))
    if compression in _COMPRESSIONS:
        return f"a TIFF compressed with {_COMPRESSIONS[compression]}"
    tile_bits = width * height * directory.first(SAMPLES, 1) * bits_of(directory)
    if compression == 1 and tile_bits % (8 * 1024):  # libtiff reads 1 KB at a time, and takes it for the tile's size
        return f"an uncompressed TIFF in tiles of {width} x {height} pixels"
    return None


def unreadable(data: bytes) -> tuple[str, str] | None:
    """The sort of TIFF and a hint, where OpenCV cannot read it, or would read it wrongly without a word."""
    directory = first_directory(data)
    if directory is None or PHOTOMETRIC not in directory.tags:
        return None  # damaged
    return _thumbnail(data, directory) or _numbers(directory) or _bands(directory) or _depth(directory)


def _thumbnail(data: bytes, first: Directory) -> tuple[str, str] | None:
    """A first picture that stands for a larger one, which readers do not show."""
    hides_a_larger = any(other.at in first.below and other.pixels > first.pixels for other in directories(data))
    if hides_a_larger or (first.is_thumbnail and (first.below or first.next)):
        return "a TIFF whose first picture is a thumbnail", "export the picture itself as PNG or JPEG"
    return None


def _numbers(directory: Directory) -> tuple[str, str] | None:
    form, bits = directory.first(FORMAT, 1), bits_of(directory)
    if len(set(directory.tags.get(BITS, (1,)))) > 1:
        return "a TIFF whose bands differ in their bits", _SCALE
    if form != 1:
        return f"a TIFF of {bits}-bit {_NUMBERS.get(form, 'numbers of an unknown sort')}", _SCALE
    return (f"a TIFF of {bits}-bit numbers", _SCALE) if bits > 16 else None


def _bands(directory: Directory) -> tuple[str, str] | None:
    """More bands than the colours have, unless the one more is an alpha channel."""
    photometric, bands = directory.first(PHOTOMETRIC), directory.first(SAMPLES, 1)
    grey = photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
    alpha = directory.tags.get(EXTRA) in ((_PREMULTIPLIED,), (_STRAIGHT,))
    if bands == _BANDS.get(photometric, bands) or (photometric == _RGB and bands == 4 and alpha):
        return None
    if photometric == _RGB and bands == 4:
        return "a TIFF whose fourth band is not marked as an alpha channel", _KEEP_THREE
    if grey and bands == 2:
        return ("a grey TIFF with an alpha channel", TO_PNG) if alpha else ("a grey TIFF of 2 bands", _KEEP_ONE)
    sort = (
        f"a{'n' if photometric == _RGB else ''} {_COLOURS[photometric]} TIFF of {bands} band{'' if bands == 1 else 's'}"
    )
    return sort, _KEEP_THREE if bands > 3 or grey else TO_PNG


def _depth(directory: Directory) -> tuple[str, str] | None:
    photometric, bits = directory.first(PHOTOMETRIC), bits_of(directory)
    planar = directory.first(PLANAR, 1) == 2 and directory.first(SAMPLES, 1) > 1
    a_deep = f"a{'n' if bits == 8 else ''} {bits}-bit"
    if bits > 8 and photometric == _WHITE_IS_ZERO:
        return f"{a_deep} grey TIFF whose zero is white", TO_PNG
    if planar and (bits > 8 or photometric == _YCBCR):
        return f"{a_deep} TIFF whose bands lie one after the other", TO_PNG
    if bits in _READABLE_BITS.get(photometric, ()):
        return None
    return f"{a_deep} {_COLOURS.get(photometric, f'(photometric interpretation {photometric})')} TIFF", TO_PNG

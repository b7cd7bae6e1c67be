"""Camera RAW files, many of which are TIFF files with a thumbnail as their first picture.

Sources: DNG 1.7, chapter 2; TIFF/EP (ISO 12234-2); the formats that LibRaw and ExifTool list.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnctl.data.decoder import tiff

_MAGIC = (
    (0, b"FUJIFILMCCD-RAW", "RAF"),
    (0, b"IIU\x00", "RW2"),
    (0, b"IIRO", "ORF"),
    (0, b"IIRS", "ORF"),
    (0, b"MMOR", "ORF"),
    (0, b"II\x1a\x00\x00\x00HEAPCCDR", "CRW"),
    (0, b"FOVb", "X3F"),
    (0, b"\x00MRM", "MRW"),
    (0, b"ARRI", "ARI"),
    (4, b"ftypcrx ", "CR3"),
    (8, b"CR\x02", "CR2"),
    (8, b"IIII", "IIQ"),
    (8, b"MMMM", "IIQ"),
)
_MAKERS = {"NIKON": "NEF", "SONY": "ARW", "PENTAX": "PEF", "RICOH": "PEF", "SAMSUNG": "SRW", "CANON": "CR2"}
_MAKERS |= {"OLYMPUS": "ORF", "PANASONIC": "RW2", "HASSELBLAD": "3FR", "EPSON": "ERF", "KODAK": "DCR", "EASTMAN": "DCR"}
_MAKERS |= {"PHASE ONE": "IIQ", "LEAF": "MOS", "MAMIYA": "MEF", "FUJI": "RAF", "LEICA": "RWL", "MINOLTA": "MRW"}
_MAKE, _DNG_VERSION, _CFA_PATTERNS = 0x010F, 0xC612, {0x828D, 0x828E}
_SENSOR = {32803, 34892}  # photometric interpretations: behind a colour filter, linear
_COMPRESSIONS = {32767, 32769, 32770, 34713, 65535}  # Sony, Epson, Samsung, Nikon, Pentax


def camera_raw(data: bytes) -> str | None:
    """The sort of camera RAW (`DNG`, `NEF`; empty where it is not known), else None."""
    is_tiff = data[:4] in (b"II*\0", b"MM\0*")
    for at, magic, name in _MAGIC:
        if data[at : at + len(magic)] == magic and (at != 8 or is_tiff):
            return name
    if not is_tiff:
        return None
    from cnnctl.data.decoder import tiff

    found = list(tiff.directories(data))
    if any(_DNG_VERSION in directory.tags for directory in found):
        return "DNG"
    if not any(_is_of_a_sensor(directory) for directory in found):
        return None
    maker = next((text for directory in found if (text := directory.text(_MAKE).upper())), "")
    return next((name for start, name in _MAKERS.items() if maker.startswith(start)), "")


def _is_of_a_sensor(directory: "tiff.Directory") -> bool:
    """Whether pixels are what a sensor saw behind its colour filter."""
    from cnnctl.data.decoder import tiff

    return (
        directory.first(tiff.PHOTOMETRIC) in _SENSOR
        or directory.first(tiff.COMPRESSION) in _COMPRESSIONS
        or bool(_CFA_PATTERNS & directory.tags.keys())
    )

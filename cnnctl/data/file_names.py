"""Which files are images by their names, and which files and folders belong to systems and tools: those are never
classes and never images.
"""

import os
import re

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .gif .tif .tiff .jp2 .avif .heic .heif .hif .pbm .pgm .ppm .pnm".split(
        " "
    )
)
"""Files that are read as images."""

_CAMERA_RAW = ".dng .nef .nrw .cr2 .cr3 .crw .arw .sr2 .srf .orf .rw2 .rwl .raf .pef .srw .3fr .fff .iiq .x3f .erf .mrw"
_CAMERA_RAW += " .mef .mos .dcr .kdc .gpr"
UNSUPPORTED_SUFFIXES = frozenset(f".jxl .psd .svg {_CAMERA_RAW}".split(" "))
"""Files that are images to their owner: taken along, so that they are named as what cannot be decoded."""

TAKEN_SUFFIXES = IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES

JSON_LINES = ".jsonl"
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", JSON_LINES)
PARQUET = ".parquet"
"""Files that are taken for tables."""

COCO = ".json"
METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""The table in a folder of images, as Hugging Face has it."""

ARCHIVE_SUFFIXES = (".zip", ".tar")
"""Files that are taken for folders."""

_LEFT_BEHIND = frozenset(
    name.casefold()
    for name in (
        # Windows and DOS
        "Thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "$RECYCLE.BIN",
        "RECYCLER",
        "RECYCLED",
        "System Volume Information",
        # macOS; what begins with a dot (.DS_Store, ._photo.jpg, .Trashes) is hidden anyhow
        "Icon\r",
        "__MACOSX",
        "Network Trash Folder",
        "Temporary Items",
        "TheVolumeSettingsFolder",
        "TheFindByContentFolder",
        # Linux and Android
        "lost+found",
        "LOST.DIR",
        # NAS: Synology, QNAP, NetApp
        "@eaDir",
        "@tmp",
        "@sharebin",
        "@Recycle",
        "@Recently-Snapshot",
        "#recycle",
        "#snapshot",
        "~snapshot",
        # Python
        "__pycache__",
    )
)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LEFT_BEHIND_ENDINGS = ("@synoeastream", "@synoresource")


def is_address(path: str) -> bool:
    """Whether a path is an address, such as s3://bucket/photos, and no file of this machine."""
    return _ADDRESS.match(path) is not None


def looks_like_image(name: str) -> bool:
    """Whether a file name ends as images do."""
    return os.path.splitext(name)[1].lower() in TAKEN_SUFFIXES


def is_system_name(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or belongs to a system and not to the user."""
    folded = name.casefold()
    if name.startswith(".") or folded in _LEFT_BEHIND or folded.endswith(_LEFT_BEHIND_ENDINGS):
        return True
    return folded.startswith("found.") and folded[6:].isdigit()  # what chkdsk found

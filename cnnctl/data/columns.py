"""Which column of a table is what, where nobody says it: by what such columns are called."""

from collections.abc import Sequence

PATH, LABEL, FILE_NAME = "path", "label", "file_name"
"""What they are called by default, and that of file names in Hugging Face's metadata."""

PATH_NAMES = (
    "path",
    "filepath",
    "imagepath",
    "imgpath",
    "filename",
    "file",
    "imagename",
    "image",
    "img",
    "picture",
    "id",
)
LABEL_NAMES = (
    "label",
    "class",
    "category",
    "target",
    "labelname",
    "classname",
    "species",
    "digit",
    "labels",
    "finelabel",
)
"""What such columns are called, the most telling name first, without `_`, blanks and dashes."""


def ranked(header: Sequence[str], names: Sequence[str]) -> list[int]:
    """The columns that are called so, in the order of the names."""
    known = {name: place for place, name in reversed(list(enumerate(map(plain, header))))}
    return [known[name] for name in names if name in known]


def plain(name: str) -> str:
    """A column's name without what names differ in."""
    return name.lower().replace("_", "").replace(" ", "").replace("-", "")

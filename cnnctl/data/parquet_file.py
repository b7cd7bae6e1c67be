"""What a Parquet file says of its columns, by pyarrow, which is loaded where such a file is read or written."""

import json
from typing import Any, BinaryIO

from cnnctl.errors import MachineError, how_to_install

_LARGEST_NOTE = 2**24
"""Bytes of what Hugging Face's library says of the columns."""

_LISTS, _DEEPEST = ("Sequence", "List", "LargeList"), 3
"""What it calls columns of lists, and how many of them lie in each other at most."""


def opened(stream: BinaryIO) -> Any:
    """A table in an open file.

    Raises:
        ArrowException: it is none.
        MachineError: pyarrow is not installed.
    """
    return pyarrow()[1].ParquetFile(stream, pre_buffer=False, buffer_size=2**20)


def in_short(error: Exception) -> str:
    """What pyarrow says, in one line."""
    return " ".join(str(error).split())[:200]


def pyarrow() -> tuple[Any, Any]:
    """pyarrow and pyarrow.parquet.

    Raises:
        MachineError: it is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MachineError("Parquet needs pyarrow, which is not installed", how_to_install("parquet")) from None
    return pyarrow, parquet


def image_columns(schema: Any) -> list[str]:
    """The columns that hold images: those that Hugging Face's library calls so, else all of bytes."""
    told = [name for name, about in features(schema).items() if is_image(about)]
    of_bytes = [field.name for field in schema if _holds_bytes(field.type)]
    return [name for name in told if name in of_bytes] or of_bytes


def _holds_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        places = [place for place in range(kind.num_fields) if kind.field(place).name == "bytes"]
        return bool(places) and _holds_bytes(kind.field(places[0]).type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def features(schema: Any) -> dict[str, Any]:
    """What Hugging Face's library says of the columns, by their names: objects, or lists of one of lists."""
    note = (schema.metadata or {}).get(b"huggingface", b"")
    if len(note) > _LARGEST_NOTE:
        return {}
    try:
        return dict(json.loads(note)["info"]["features"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}


def is_image(about: Any) -> bool:
    """Whether a feature is a column of images."""
    return isinstance(about, dict) and about.get("_type") == "Image"


def class_label(about: Any) -> dict[str, Any] | None:
    """The feature of classes, where a column has their numbers, or lists of them."""
    for _ in range(_DEEPEST):
        if isinstance(about, list) and len(about) == 1:
            about = about[0]
        elif isinstance(about, dict) and about.get("_type") in _LISTS:
            about = about.get("feature")
    return about if isinstance(about, dict) and about.get("_type") == "ClassLabel" else None


def class_names(schema: Any, column: str) -> list[str] | None:
    """The names of the classes that a column has the numbers of."""
    names = (class_label(features(schema).get(column)) or {}).get("names")
    if isinstance(names, dict):  # older versions of the library
        names = list(names.values())
    return [str(name) for name in names] if isinstance(names, list) and names else None

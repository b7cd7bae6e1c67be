"""Which files of Parquet are one table together."""

import glob
import os
from pathlib import Path

from cnnctl.data.file_names import PARQUET, is_system_name


def parquet_files(source: str | Path) -> list[Path]:
    """A file, those of a pattern such as train-*.parquet, or those of a folder; empty where it is something else."""
    text = os.fspath(source)
    if os.path.isdir(text):  # noqa: PTH112 - pathlib raises over a NUL
        try:
            with os.scandir(text) as entries:
                names = [entry.name for entry in entries if not is_system_name(entry.name) and entry.is_file()]
        except OSError:
            return []
        return [Path(text, name) for name in sorted(names) if name.lower().endswith(PARQUET)]
    if not text.lower().endswith(PARQUET):
        return []
    if glob.has_magic(text) and not os.path.lexists(text):
        return [Path(found) for found in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207
    return [Path(text)]

"""JSON Lines: an object in each line, whose keys are the columns."""

import json
from pathlib import Path
from typing import Any

from cnnctl.data.dialect import content_of
from cnnctl.errors import DataError


def read_json_lines(file: Path) -> tuple[list[str], list[tuple[int, list[Any]]]]:
    """The columns, which are the keys of all lines, and (line from 1, values) of each line that is not empty.

    Raises:
        DataError: it is missing, or a line is no object.
    """
    found: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(content_of(file).removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            hint = 'write one such as {"path": "a.jpg", "label": "cat"}'
            raise DataError(f"{file}, line {number}: expected an object of JSON", hint)
        found.append((number, told))
    names = list(dict.fromkeys(key for _, told in found for key in told))
    return names, [(number, [told.get(name) for name in names]) for number, told in found]

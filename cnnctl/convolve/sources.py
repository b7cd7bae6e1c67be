"""Where a picture and a kernel come from: an image file, a matrix in a text file, a matrix on the command line.

A matrix is written `[[0, 1], [2, 3]]`, or in a file as rows of numbers between commas, semicolons or blanks; `1/9` is
a number. Three matrices, `[[[...]], [[...]], [[...]]]` or with an empty line between them in a file, are one for each
channel: red, green, blue.
"""

import ast
import difflib
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnctl.convolve.convolution import Values
from cnnctl.convolve.kernels import KERNELS
from cnnctl.errors import DataError, UsageError

CHANNELS = ("red", "green", "blue")
MATRIX_SUFFIXES = (".csv", ".tsv", ".txt", ".json")
_MOST_BYTES = 2_000_000
_LARGEST = 1e9
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_FRACTION = re.compile(rf"(?<![0-9.])({_NUMBER})\s*/\s*({_NUMBER})")
_FOREIGN = re.compile(r"[^-+.,/0-9\seE\[\]]")


@dataclass(frozen=True)
class Picture:
    """What is convolved.

    Attributes:
        name: The file's name, or `matrix`.
        pixels: (height, width, channels), 1 channel or 3 (red, green, blue); 0 to 255 in an image.
        own_size: (height, width) of the file, before it was resized.
        is_image: Whether the values are pixels of an image file, 0 to 255.
    """

    name: str
    pixels: Values
    own_size: tuple[int, int]
    is_image: bool


@dataclass(frozen=True)
class Kernel:
    """A kernel as the user means it.

    Attributes:
        name: Its own, the stem of its file, or `own`.
        matrices: (height, width, channels); 1 channel stands for the same matrix in each.
    """

    name: str
    matrices: Values

    def over(self, channels: int) -> Values:
        """The weights for a picture of so many channels: (height, width, channels).

        Raises:
            UsageError: it has another number of matrices.
        """
        own = self.matrices.shape[2]
        if own not in (1, channels):
            raise UsageError(
                f"the kernel has {own} matrices, one for each channel, and the picture has {_channels(channels)}",
                "give one matrix, which is used for every channel" + (", or leave out --grey" if own == 3 else ""),
            )
        return np.repeat(self.matrices, channels, axis=2) if own == 1 else self.matrices


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"


class _MatrixError(Exception):
    """A text that is no matrix; `str()` is the reason."""


def read_picture(source: str, size: tuple[int, int] | None, grey: bool) -> Picture:
    """The picture that `source` names.

    Args:
        source: An image file, a text file with a matrix, or a matrix.
        size: (height, width) to stretch an image to; None for its own.
        grey: Whether to make one channel of a colour image.

    Raises:
        DataError: it cannot be read, or is no picture; also where it is too large.
        UsageError: a matrix is to be resized or made grey.
    """
    path, inline = Path(source), _is_inline(source)
    if not is_matrix(source):
        return _read_image(path, size, grey)
    try:
        pixels = parse_matrix(source if inline else _read_text(path))
    except _MatrixError as error:
        raise DataError(f"{'the matrix' if inline else path}: {error}", _matrix_hint()) from None
    if pixels.shape[2] not in (1, 3):
        raise DataError(
            f"a picture has one matrix (grey) or three (red, green, blue); received: {pixels.shape[2]}",
            "give one matrix, or three of the same size",
        )
    if size is not None:
        raise UsageError("a matrix keeps its own size", "leave out --size, or give an image file")
    if grey and pixels.shape[2] == 3:
        raise UsageError("--grey is for image files; this matrix has three channels", "give one matrix")
    return Picture("matrix" if inline else path.name, pixels, (pixels.shape[0], pixels.shape[1]), False)


def _read_image(path: Path, size: tuple[int, int] | None, grey: bool) -> Picture:
    from cnnctl.data.decoder.images import ImageError, ImageSpec, decode, read_bytes, upright

    try:
        data = read_bytes(path)
        raw = upright(data)
        own = (int(raw.shape[0]), int(raw.shape[1]))
        height, width = size or own
        channels = 1 if grey or _is_grey(data, raw) else 3
        pixels = decode(data, ImageSpec(height, width, channels))
    except ImageError as error:
        hint = error.hint if error.hint and not error.hint.startswith("data.image") else None
        raise DataError(f"{path}: {error.message}", hint) from None
    return Picture(path.name, pixels.astype(np.float64), own, True)


def _is_grey(data: bytes, raw: Any) -> bool:
    """Whether a file has one channel. The decoder makes three of every JPEG's."""
    from cnnctl.data.decoder.headers import image_format
    from cnnctl.data.decoder.images import opencv

    if raw.ndim == 3 and image_format(data) == "JPEG":
        cv2 = opencv()
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return raw is not None and (raw.ndim == 2 or raw.shape[2] == 1)


def read_kernel(source: str) -> Kernel:
    """The kernel that `source` is: a name, a file or a matrix.

    Raises:
        UsageError: it is none of them.
    """
    name = source.strip().lower().replace("_", "-")
    if name in KERNELS:
        return Kernel(name, np.array(KERNELS[name].rows, np.float64)[:, :, np.newaxis])
    path, inline = Path(source), _is_inline(source)
    if not inline and not _exists(path):
        near = difflib.get_close_matches(name, KERNELS, 1)
        hint = f"did you mean {near[0]}?" if near else f"kernels are {', '.join(KERNELS)}; {_matrix_hint()}"
        raise UsageError(f"there is no kernel and no file called {source}", hint)
    try:
        matrices = parse_matrix(source if inline else _read_text(path))
    except _MatrixError as error:
        raise UsageError(f"the kernel{'' if inline else f' in {path}'}: {error}", _matrix_hint()) from None
    return Kernel("own" if inline else path.stem, matrices)


def is_matrix(source: str) -> bool:
    """Whether a picture is given as a matrix, on the command line or in a text file."""
    return _is_inline(source) or Path(source).suffix.lower() in MATRIX_SUFFIXES


def _is_inline(source: str) -> bool:
    return source.lstrip().startswith("[") and not _exists(Path(source))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long to be one
        return False


def _matrix_hint() -> str:
    return "a matrix is written [[0, 1], [2, 3]], or in a file as rows of numbers between commas"


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise _MatrixError("there is no such file") from None
    except OSError as error:
        raise _MatrixError(f"it cannot be read: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise _MatrixError(f"the file is larger than {_MOST_BYTES / 1e6:g} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _MatrixError("it is no text") from None


def parse_matrix(text: str) -> Values:
    """A matrix, or one for each channel, in the forms that this module's docstring names.

    Returns:
        (height, width, channels).

    Raises:
        _MatrixError: with the reason.
    """
    nested = _parse_nested(text) if text.lstrip().startswith("[") else _parse_rows(text)
    depth = _depth(nested)
    if depth not in (2, 3):
        raise _MatrixError("expected rows of numbers" if depth < 2 else "expected a matrix, or one for each channel")
    matrices = nested if depth == 3 else [nested]
    sizes = set()
    for matrix in matrices:
        if not isinstance(matrix, list) or not matrix or not all(isinstance(row, list) and row for row in matrix):
            raise _MatrixError("expected rows of numbers, none of them empty")
        widths = [len(row) for row in matrix]
        if len(set(widths)) > 1:
            raise _MatrixError(f"rows differ in length: {', '.join(map(str, widths[:8]))}")
        sizes.add((len(matrix), widths[0]))
        _check_numbers(matrix)
    if len(sizes) > 1:
        raise _MatrixError(
            "its matrices differ in size: " + ", ".join(f"{high}x{wide}" for high, wide in sorted(sizes))
        )
    return np.moveaxis(np.array(matrices, np.float64), 0, 2)


def _check_numbers(matrix: list[list[Any]]) -> None:
    for row in matrix:
        for value in row:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise _MatrixError("expected numbers in every row")
            if not abs(value) <= _LARGEST:
                raise _MatrixError(f"expected numbers from {-_LARGEST:g} to {_LARGEST:g}, received: {str(value)[:20]}")


def _depth(value: Any) -> int:
    return 1 + (_depth(value[0]) if value else 0) if isinstance(value, list) else 0


def _parse_nested(text: str) -> Any:
    foreign = _FOREIGN.search(text)
    if foreign:
        raise _MatrixError(f"expected numbers, commas and brackets, received: {foreign.group()}")
    if re.search(r"\[\s*\[\s*\[\s*\[", text):
        raise _MatrixError("expected a matrix, or one for each channel")
    literal = _FRACTION.sub(lambda found: repr(_divide(*found.groups())), text.strip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # [1[2]] is no matrix either way
            return ast.literal_eval(literal)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise _MatrixError("its brackets, commas or numbers do not fit together") from None


def _parse_rows(text: str) -> list[list[list[float]]]:
    """Rows of numbers; an empty line begins the next channel's. What follows a # is a comment."""
    matrices: list[list[list[float]]] = [[]]
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip().rstrip(",;")
        if content:
            separator = r"[,;]" if re.search(r"[,;]", content) else r"\s+"
            matrices[-1].append([_number(cell.strip(), number) for cell in re.split(separator, content)])
        elif not line.strip() and matrices[-1]:
            matrices.append([])
    found = [matrix for matrix in matrices if matrix]
    if not found:
        raise _MatrixError("it holds no numbers")
    return found


def _number(cell: str, line: int) -> float:
    fraction = _FRACTION.fullmatch(cell)
    if fraction:
        return _divide(*fraction.groups())
    if not re.fullmatch(_NUMBER, cell):
        raise _MatrixError(f"line {line}: expected a number, received: {cell if cell else 'nothing'}")
    return float(cell)


def _divide(above: str, below: str) -> float:
    if float(below) == 0:
        raise _MatrixError(f"{above}/{below} is not a number")
    return float(above) / float(below)

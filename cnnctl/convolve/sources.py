"""Where a picture and a kernel come from: an image file, a matrix in a text file, a matrix on the command line."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cnnctl.convolve.convolution import Pair
from cnnctl.convolve.kernels import KERNELS
from cnnctl.convolve.matrix import HINT, MatrixError, parse_matrix
from cnnctl.errors import DataError, UsageError
from cnnctl.layers.compute import Values
from cnnctl.system.files import exists

_MATRIX_SUFFIXES = (".csv", ".tsv", ".txt", ".json")
_MOST_BYTES = 2_000_000


@dataclass(frozen=True)
class Picture:
    """What is convolved: `pixels` is (height, width, channels), with 1 channel or 3 (red, green, blue).

    `own_size` is (height, width) of the file, before it was resized; the pixels of an image are 0 to 255. `change` says
    what was done to them.
    """

    name: str
    pixels: Values
    own_size: Pair
    is_image: bool
    change: str = ""


@dataclass(frozen=True)
class Kernel:
    """A kernel of shape (height, width, channels), where 1 channel stands for the same matrix in each; and its name."""

    name: str
    matrices: Values

    def over(self, channels: int) -> Values:
        """The weights for a picture of so many channels: (height, width, channels).

        Raises:
            UsageError: it has another number of matrices.
        """
        own = self.matrices.shape[2]
        if own not in (1, channels):
            many = f"{channels} channel{'' if channels == 1 else 's'}"
            raise UsageError(
                f"the kernel has {own} matrices, one for each channel, and the picture has {many}",
                "give one matrix, which is used for every channel" + (", or leave out --grey" if own == 3 else ""),
            )
        return np.repeat(self.matrices, channels, axis=2) if own == 1 else self.matrices


def read_picture(source: str, size: Pair | None, grey: bool, longest: int | None = None) -> Picture:
    """The picture that an image file, a text file with a matrix, or a matrix is.

    An image is stretched to `size`, (height, width), or keeps its own where that is None. With `longest` it keeps its
    own up to so many pixels of the longer side; a larger one is divided by a whole number, block by block. Any other
    scale would blur some pixels more than others, and an edge kernel draws that as a pattern of dots.

    Raises:
        DataError: it cannot be read, or is no picture; also where it is too large.
        UsageError: a matrix is to be resized or made grey.
    """
    path, inline = Path(source), _is_inline(source)
    if not is_matrix(source):
        picture = _read_image(path, size, grey)
        return picture if size is not None or longest is None else _in_blocks(picture, longest)
    try:
        pixels = parse_matrix(source if inline else _read_text(path))
    except MatrixError as error:
        raise DataError(f"{'the matrix' if inline else path}: {error}", HINT) from None
    height, width, channels = pixels.shape
    if channels not in (1, 3):
        raise DataError(
            f"a picture has one matrix (grey) or three (red, green, blue); received: {channels}",
            "give one matrix, or three of the same size",
        )
    if size is not None:
        raise UsageError("a matrix keeps its own size", "leave out --size, or give an image file")
    if grey and channels == 3:
        raise UsageError("--grey is for image files; this matrix has three channels", "give one matrix")
    return Picture("matrix" if inline else path.name, pixels, (height, width), False)


def _read_image(path: Path, size: Pair | None, grey: bool) -> Picture:
    from cnnctl.data.decoder import jpeg
    from cnnctl.data.decoder.headers import image_format
    from cnnctl.data.decoder.images import ImageError, ImageSpec, decode, upright
    from cnnctl.data.decoder.reading import read_bytes

    try:
        data = read_bytes(path)
        raw = upright(data)
        own = raw.shape[0], raw.shape[1]
        # of a JPEG the decoder makes three channels in any case
        is_grey = raw.ndim == 2 or (image_format(data) == "JPEG" and jpeg.is_grey(data))
        height, width = size or own
        pixels = decode(data, ImageSpec(height, width, 1 if grey or is_grey else 3))
    except ImageError as error:
        hint = error.hint if error.hint and not error.hint.startswith("data.image") else None
        raise DataError(f"{path}: {error.message}", hint) from None
    stretched = "stretched" if height * own[1] != width * own[0] else ""
    return Picture(path.name, pixels.astype(np.float64), own, True, stretched)


def _in_blocks(picture: Picture, longest: int) -> Picture:
    """A picture whose longer side has at most so many pixels; rows and columns that fill no block are left out."""
    height, width, channels = picture.pixels.shape
    block = -(-max(height, width) // longest)
    rows, columns = height // block, width // block
    if block == 1 or min(rows, columns) < 1:
        return picture
    blocks = picture.pixels[: rows * block, : columns * block].reshape(rows, block, columns, block, channels)
    return replace(
        picture, pixels=np.rint(blocks.mean(axis=(1, 3))), change=f"each pixel is the mean of {block}x{block}"
    )


def read_kernels(sources: Sequence[str]) -> list[Kernel]:
    """The kernels of several sources, by `read_kernel`; a number tells those apart that have one name."""
    kernels = [read_kernel(source) for source in sources]
    names = Counter(kernel.name for kernel in kernels)
    seen: Counter[str] = Counter()
    numbered = []
    for kernel in kernels:
        seen[kernel.name] += 1
        many = names[kernel.name] > 1
        numbered.append(replace(kernel, name=f"{kernel.name} {seen[kernel.name]}") if many else kernel)
    return numbered


def read_kernel(source: str) -> Kernel:
    """The kernel that `source` is: a name, a file or a matrix.

    Raises:
        UsageError: it is none of them.
    """
    name = source.strip().lower().replace("_", "-")
    if name in KERNELS:
        return Kernel(name, np.array(KERNELS[name].rows, np.float64)[:, :, np.newaxis])
    path, inline = Path(source), _is_inline(source)
    if not inline and not exists(path):
        near = difflib.get_close_matches(name, KERNELS, 1)
        hint = f"did you mean {near[0]}?" if near else f"kernels are {', '.join(KERNELS)}; {HINT}"
        raise UsageError(f"there is no kernel and no file called {source}", hint)
    try:
        return Kernel("own" if inline else path.stem, parse_matrix(source if inline else _read_text(path)))
    except MatrixError as error:
        raise UsageError(f"the kernel{'' if inline else f' in {path}'}: {error}", HINT) from None


def is_matrix(source: str) -> bool:
    """Whether a picture is given as a matrix, on the command line or in a text file."""
    return _is_inline(source) or Path(source).suffix.lower() in _MATRIX_SUFFIXES


def _is_inline(source: str) -> bool:
    return source.lstrip().startswith("[") and not exists(source)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise MatrixError("there is no such file") from None
    except OSError as error:
        raise MatrixError(f"it cannot be read: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise MatrixError(f"the file is larger than {_MOST_BYTES / 1e6:g} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MatrixError("it is not a text file") from None

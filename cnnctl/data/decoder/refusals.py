"""Why one image cannot be used, and the barrier that makes every failure of a reader such a reason."""

from collections.abc import Iterable, Iterator
from contextlib import ContextDecorator
from typing import TypeVar

from cnnctl.errors import DataError

MAX_PARTS = 100_000
"""Segments, chunks, boxes or runs of a header: real files have a few thousand, and each costs time in Python."""

NO_SUCH_FILE = "there is no such file"

Part = TypeVar("Part")


class ImageError(DataError):
    """One image cannot be used; `message` is the reason without the file's name."""

    @property
    def reason(self) -> str:
        """The message and the mend in one line."""
        return self.message + (f" ({self.hint})" if self.hint else "")


class as_reason(ContextDecorator):  # noqa: N801 - as contextlib names such classes
    """A block or a function that reads a stranger's bytes: whatever it raises becomes the reason of this one image."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, MemoryError):
            raise ImageError("there is not enough memory to decode it", "decode fewer images at once") from error
        if isinstance(error, Exception) and not isinstance(error, ImageError):
            raise ImageError(self._message) from error


def counted(parts: Iterable[Part], most: int = MAX_PARTS) -> Iterator[Part]:
    """The parts of a header, as long as they are not more than a real file has.

    Raises:
        ImageError: there are more.
    """
    for number, part in enumerate(parts):
        if number == most:
            raise too_many(most)
        yield part


def too_many(most: int) -> ImageError:
    """The reason of a header that has more parts than a real file."""
    return ImageError(f"its header has more than {most:,} parts", "save it anew with another program")

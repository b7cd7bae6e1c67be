"""Why one image cannot be used, and the barrier that makes every failure of a reader such a reason."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from cnnctl.errors import DataError

MAX_PARTS = 100_000
"""Segments, chunks, boxes or runs of a header: real files have a few thousand, and each costs time in Python."""

Part = TypeVar("Part")


class ImageError(DataError):
    """One image cannot be used; `message` is the reason without the file's name."""

    @property
    def reason(self) -> str:
        """The message and the mend in one line."""
        return self.message + (f" ({self.hint})" if self.hint else "")


@contextmanager
def as_reason(message: str) -> Iterator[None]:
    """A block that reads a stranger's bytes: whatever it raises becomes the reason of this one image."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("there is not enough memory to decode it", "decode fewer images at once") from error
    except Exception as error:
        raise ImageError(message) from error


def counted(parts: Iterable[Part], most: int = MAX_PARTS) -> Iterator[Part]:
    """The parts of a header, as long as they are not more than a real file has.

    Raises:
        ImageError: there are more.
    """
    for number, part in enumerate(parts):
        if number == most:
            raise ImageError(f"its header has more than {most:,} parts", "save it anew with another program")
        yield part

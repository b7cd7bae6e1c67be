"""The bytes of an image file: a regular file, or one in an archive, up to a size."""

import os
from pathlib import Path

from cnnctl.data import archives
from cnnctl.data.decoder.refusals import NO_SUCH_FILE, ImageError
from cnnctl.system.regular_files import NotRegularError, open_regular

MEGABYTE = 1_000_000
MAX_FILE_BYTES = 100 * MEGABYTE


def read_bytes(path: str | Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """The content of an image file.

    Raises:
        ImageError: it cannot be read, is no regular file, or has more bytes than `limit`.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size or limit  # a pipe has no size
            data = file.read(min(size, limit) + 1)  # read() reserves what it is asked for
    except FileNotFoundError:
        if Path(path).is_symlink():
            raise ImageError("it is a link to a file that is not there", "fetch the file, or remove the link") from None
        raise ImageError(NO_SUCH_FILE) from None
    except NotRegularError as error:
        raise ImageError(f"it is {error}") from None
    except NotADirectoryError:
        data = _in_archive(path, limit)
    except OSError as error:
        raise ImageError(f"it cannot be read: {error.strerror}") from None
    except ValueError:
        raise ImageError("no file can have this name: there is a NUL in it") from None
    if len(data) > limit:
        raise too_large(limit)
    return data


def _in_archive(path: str | Path, limit: int) -> bytes:
    try:
        data = archives.read(path, limit)
    except archives.TooLargeError:
        raise too_large(limit) from None
    except archives.MemberError as error:
        raise ImageError(str(error)) from None
    if data is None:
        raise ImageError(NO_SUCH_FILE)
    return data


def too_large(limit: int) -> ImageError:
    """The reason of a file that has more bytes than are read."""
    return ImageError(f"the file is larger than {limit / MEGABYTE:g} MB", "data.image.max_megabytes raises the limit")

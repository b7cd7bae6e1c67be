"""Images that are not on this machine: s3://, gs://, https:// and whatever else fsspec has a package for.

Only `predict` and Python ask for them; `serve` never does.
"""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from cnnctl.data.decoder.reading import too_large
from cnnctl.data.decoder.refusals import ImageError
from cnnctl.data.file_names import IMAGE_SUFFIXES, is_system_name
from cnnctl.errors import DataError, MachineError
from cnnctl.system.remote import file_system, reason

_SIGNS = frozenset("*?[")


def list_remote(address: str) -> Iterator[str]:
    """The addresses of the images that an address stands for: one image, all below a folder, or those of a pattern.

    Raises:
        MachineError: the packages for it are not installed.
        DataError: nothing is there, or it cannot be reached.
    """
    system, scheme = _system(address), _scheme(address)
    is_pattern = bool(_SIGNS & set(address))
    if scheme in ("http", "https") or (_is_image(address) and not is_pattern):
        yield address
        return
    try:
        place = system._strip_protocol(address)
        found = system.glob(place) if is_pattern else system.find(place)
    except Exception as error:  # each package raises its own
        raise DataError(f"{address} cannot be listed: {reason(error)}") from None
    images = [name for name in sorted(found) if _is_image(name)]
    if not images:
        raise DataError(f"no image was found in {address}", "images end in .jpg, .png, .webp, .bmp, .gif or .tif")
    yield from (f"{scheme}://{name.lstrip('/') if scheme != 'file' else name}" for name in images)


def read_remote(address: str, limit: int) -> bytes:
    """The content of the image at an address.

    Raises:
        ImageError: it cannot be read, or has more than `limit` bytes.
    """
    try:
        with _system(address).open(address, "rb", block_size=2**20) as stream:
            data: bytes = stream.read(limit + 1)
    except MachineError as error:
        raise ImageError(error.message) from None
    except Exception as error:  # each package raises its own
        raise ImageError(f"it cannot be read: {reason(error)}") from None
    if len(data) > limit:
        raise too_large(limit)
    return data


@cache
def _of_scheme(scheme: str) -> Any:
    return file_system(scheme)


def _system(address: str) -> Any:
    return _of_scheme(_scheme(address))


def _scheme(address: str) -> str:
    return address.partition("://")[0].lower()


def _is_image(name: str) -> bool:
    last = name.rpartition("/")[2]
    return os.path.splitext(last)[1].lower() in IMAGE_SUFFIXES and not is_system_name(last)

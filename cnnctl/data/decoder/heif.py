"""The pixels of a HEIC file, by pillow-heif, which is loaded for the first of them: OpenCV reads none.

It turns and mirrors as the file says, cuts out its clean aperture, and takes its YCbCr for what its NCLX profile says.
"""

from importlib.util import find_spec
from typing import Any

import numpy as np

from cnnctl.data.decoder.depth import in_8_bits
from cnnctl.data.decoder.refusals import ImageError


def is_installed() -> bool:
    """Whether HEIC files can be read here."""
    try:
        return find_spec("pillow_heif") is not None
    except ValueError:  # it was loaded in a way of its own
        return True


def pixels(data: bytes) -> tuple[Any, bool]:
    """The picture, upright, and whether its colours are multiplied by its alpha channel.

    Returns:
        uint8 (height, width) of grey, (height, width, 3) of BGR or (height, width, 4) of BGRA.

    Raises:
        ImageError: with the reason.
    """
    import pillow_heif

    pillow_heif.options.DECODE_THREADS = 1  # the callers have threads
    try:
        file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False, bgr_mode=True)
        image = file[file.primary_index]
        found = np.asarray(image)
    except (ValueError, EOFError, IndexError) as error:
        raise ImageError(f"the HEIC image is damaged: {_short(error)}") from None
    except (SyntaxError, RuntimeError) as error:
        raise ImageError(f"the HEIC image cannot be decoded: {_short(error)}") from None
    mode, _, bits = image.mode.partition(";")
    if bits:
        found = in_8_bits(found, ((0, 2 ** int(bits) - 1),))
    return found, mode.endswith("a")


def _short(error: Exception) -> str:
    """What libheif says: the sort of fault, and the fault itself."""
    return " ".join(str(error).split())[:200]

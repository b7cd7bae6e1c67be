"""Pictures small enough for a page."""

from pathlib import Path

from cnnctl.data.images import opencv

SMALL = 120_000
"""Bytes of a PNG file that goes into the page as it is."""

_QUALITY = 82


def compact(content: bytes) -> tuple[str, bytes]:
    """A PNG file as (format, content) for a page: one with photos in it is much smaller as WebP."""
    import numpy as np

    if len(content) <= SMALL:
        return "png", content
    cv2 = opencv()
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        return "png", content
    packed = cv2.imencode(".webp", pixels, (cv2.IMWRITE_WEBP_QUALITY, _QUALITY))[1].tobytes()
    return ("webp", packed) if len(packed) < len(content) else ("png", content)


def read_plot(path: Path) -> bytes | None:
    """The content of a plot, None where there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return None

"""Pictures small enough for a page."""

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
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        done, packed = cv2.imencode(".webp", pixels, (cv2.IMWRITE_WEBP_QUALITY, _QUALITY))
    except cv2.error:  # it is no picture, or one of more than 16,383 pixels a side
        return "png", content
    return ("webp", packed.tobytes()) if done and 0 < packed.size < len(content) else ("png", content)

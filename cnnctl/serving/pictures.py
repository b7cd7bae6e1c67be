"""Pixels -> PNG."""

import numpy as np

from cnnctl.data.decoder.images import Image, opencv


def png(pixels: Image) -> bytes:
    """A PNG file of these very pixels: uint8 (height, width, 3) of RGB or (height, width, 1) of grey."""
    cv2 = opencv()
    done, content = cv2.imencode(".png", pixels if pixels.shape[2] == 1 else np.ascontiguousarray(pixels[:, :, ::-1]))
    assert done
    return bytes(content)

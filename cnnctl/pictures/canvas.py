"""A sheet of pictures with lines of text between them; lengths in inches from the upper left corner.

Pixels are pasted one to one, which takes a fraction of the time that axes with images in them take.
"""

from typing import Any

import numpy as np

from cnnctl.data.decoder.images import Image, opencv
from cnnctl.pictures import style


class Canvas:
    """A white figure of so many inches; `figure` is for what is drawn otherwise, such as a heading."""

    def __init__(self, width: float, height: float) -> None:
        self.figure: Any = style.new_figure(width, height)
        self._width, self._height = width, height
        self._pixels = np.full((round(height * style.DPI), round(width * style.DPI), 3), 255, np.uint8)

    def paste(self, picture: Image, centre: float, top: float) -> None:
        """Lay an RGB picture under a height, around a vertical line; each of its pixels is one of the figure's."""
        height, width, _ = picture.shape
        x = max(0, min(round(centre * style.DPI - width / 2), self._pixels.shape[1] - width))
        y = max(0, min(round(top * style.DPI), self._pixels.shape[0] - height))
        self._pixels[y : y + height, x : x + width] = picture

    def write(self, text: str, centre: float, top: float, size: float = style.SMALL, colour: str = "black") -> None:
        """A line of text under a height, around a vertical line."""
        options = {"ha": "center", "va": "top", "fontsize": size, "color": colour}
        self.figure.text(centre / self._width, 1 - top / self._height, text, **options)

    def finish(self) -> Any:
        """The figure with its pictures."""
        self.figure.figimage(self._pixels, origin="upper", zorder=-1)
        return self.figure


def resized(pixels: Image, longer: int, smooth: bool = False) -> Image:
    """RGB with a longer side of so many pixels; where they are enlarged, each stays a square unless smoothed."""
    cv2 = opencv()
    high, wide = pixels.shape[:2]
    scale = longer / max(high, wide)
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    made: Image = cv2.resize(pixels, size, interpolation=way)
    return cv2.cvtColor(made, cv2.COLOR_GRAY2RGB) if made.ndim == 2 else made


def scaled_span(start: int, stop: int, scale: float) -> slice:
    """A span of pixels where the picture is larger or smaller: at least one pixel."""
    first = round(start * scale)
    return slice(first, max(first + 1, round(stop * scale)))


def faded_around(picture: Image, rows: slice, columns: slice, white: float) -> Image:
    """A picture with so much of white over all but a window."""
    faded: Image = (picture * (1 - white) + 255 * white).astype(np.uint8)
    faded[rows, columns] = picture[rows, columns]
    return faded

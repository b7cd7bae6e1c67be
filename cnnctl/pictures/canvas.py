"""A sheet of pictures with lines of text between them; lengths in inches from the upper left corner.

Pixels are pasted one to one, which takes a fraction of the time that axes with images in them take.
"""

from typing import Any

import numpy as np

from cnnctl.data.decoder.images import Image
from cnnctl.pictures import style


class Canvas:
    """A white figure of so many inches.

    Attributes:
        figure: For what is drawn otherwise, such as a heading.
    """

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

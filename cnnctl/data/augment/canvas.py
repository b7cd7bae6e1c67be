"""An image under way through the steps: affine ones wait, so that neighbours are done in one warp."""

from collections.abc import Callable

import numpy as np

from cnnctl.data.augment.affine import WINDOW, Border, Matrix, Window, warp, window_matrix
from cnnctl.data.decoder.images import Image


class Canvas:
    """The image as it would be if every step so far had been done; its size never changes.

    `image` is uint8 (height, width, channels) and never written to.
    """

    def __init__(self, image: Image) -> None:
        self.height, self.width = image.shape[:2]
        self._original = image
        self._pixels = image
        self._matrix: Matrix | None = None
        self._border: Border | None = None

    def move(self, matrix: Matrix | None, border: Border | None) -> None:
        """An affine step, by its matrix (None: no change) and its border (None: a flip, which needs none)."""
        if matrix is None:
            return
        if not one_warp(self._border, border):
            self._settle()
        self._matrix = matrix if self._matrix is None else self._matrix @ matrix
        self._border = border if self._border in (None, WINDOW) and border is not None else self._border

    def crop(self, window: Window) -> None:
        """A window of the image, enlarged to the image's size again.

        Without a warp to wait for, the window is cut out first: not even by a part do pixels around it enter. After
        a warp that is still to be done, pixels at its edge may take part of their next neighbour, as any warp does.
        """
        if window == (0, 0, self.height, self.width):
            return
        if self._border is None or not one_warp(self._border, WINDOW):
            self._settle()
            top, left, height, width = window
            self._pixels = self._pixels[top : top + height, left : left + width]
            window = Window(0, 0, height, width)
        self.move(window_matrix(window, self.height, self.width), WINDOW)

    def paint(self, change: Callable[[Image], Image], pointwise: bool = False) -> None:
        """A step that keeps every pixel in its place; `change` must not write to what it is given.

        A `pointwise` step adds the same to every pixel, so that before or after a warp is the same, but for what a
        constant border brings in.
        """
        if not pointwise or (self._border is not None and self._border.fill_mode == "constant"):
            self._settle()
        self._pixels = change(self._pixels)

    def image(self) -> Image:
        """uint8 (height, width, channels), to be read only: it may be the original."""
        self._settle()
        return self._pixels

    def result(self) -> Image:
        """uint8 (height, width, channels), an array of its own."""
        image = self.image()
        return np.array(image) if image is self._original else image

    def _settle(self) -> None:
        if self._matrix is not None:
            self._pixels = warp(self._pixels, self._matrix, self._border, self.height, self.width)
            self._matrix, self._border = None, None


def one_warp(first: Border | None, second: Border | None) -> bool:
    """Whether two steps with these borders can be one warp."""
    if first is None or second is None or first == second:
        return True
    return WINDOW in (first, second) and all(
        border.interpolation == "bilinear" and border.fill_mode in ("window", "reflect", "nearest")
        for border in (first, second)
    )

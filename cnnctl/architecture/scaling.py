"""What is done to the pixels before a network sees them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scaling:
    """pixel * scale + offset, a number for all channels or one for each; pixels are from 0 to 255."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @staticmethod
    def by_statistics(mean: tuple[float, ...], deviation: tuple[float, ...]) -> "Scaling":
        """(pixel - mean) / deviation, a number for each channel."""
        scale = tuple(1 / value for value in deviation)
        return Scaling(scale, tuple(-m * s for m, s in zip(mean, scale, strict=True)))


NONE = Scaling((1.0,), (0.0,))
UNIT = Scaling((1 / 255,), (0.0,))
SYMMETRIC = Scaling((1 / 127.5,), (-1.0,))

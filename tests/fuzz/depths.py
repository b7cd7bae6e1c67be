"""Image files of every depth, number of bands and sort: the pixels that were written, or the name of the sort."""

import random
from collections.abc import Callable

import numpy as np

from cnnctl.data.decoder.images import ImageError, ImageSpec, decode
from tests.deep import avif, jpeg2000, pnm, tiff
from tests.fuzz.images import answer, damage, limit_memory

BACKGROUND = (10, 200, 90)
ALLOWED = 1.5
"""Levels between what was written and what is seen: colours, alpha and their mixture are rounded."""

Made = tuple[bytes, np.ndarray | None]


def samples(chance: random.Random, bands: int, white: int) -> np.ndarray:
    """Noise of (height, width, bands) in a size of its own."""
    shape = (chance.randint(33, 40), chance.randint(33, 60), bands)
    return np.random.default_rng(chance.randrange(10**9)).integers(0, white, shape, endpoint=True)


def seen(shares: np.ndarray) -> np.ndarray:
    """What a person sees of shares of white, (height, width, 1 to 4), over the background."""
    colours = shares[:, :, :3] if shares.shape[2] > 2 else np.repeat(shares[:, :, :1], 3, axis=2)
    if shares.shape[2] % 2:
        return 255 * colours
    alpha = shares[:, :, -1:]
    return 255 * colours * alpha + np.array(BACKGROUND) * (1 - alpha)


def any_tiff(chance: random.Random) -> Made:
    """Tags of all sorts; what is to be seen only of the sorts that have one meaning."""
    bits, bands = chance.choice((1, 2, 4, 8, 8, 10, 12, 14, 16, 16, 24, 32)), chance.choice((1, 1, 2, 3, 3, 4, 4, 5))
    colours = chance.choice((0, 1, 1, 2, 2, 2, 3, 5, 6, 8, 32803))
    white = 2**bits - 1
    values = samples(chance, bands, white)
    spare = bands - {2: 3, 5: 4, 6: 3, 8: 3}.get(colours, 1)
    extra = tuple(chance.choice((0, 1, 2)) for _ in range(spare)) if chance.random() < 0.7 else ()
    shares = values / white
    if extra == (1,) and bands == 4:
        values[:, :, :3] = np.rint(values[:, :, :3] * shares[:, :, 3:])
    more = {"t338": extra, "t339": chance.choice(((), (1,), (1,), (2,), (3,))), "t254": chance.choice(((), (0,), (1,)))}
    more |= {"order": chance.choice("<>"), "rows": chance.choice((1, 7, 100)), "planar": chance.random() < 0.2}
    more["t530"] = (1, 1) if colours == 6 else ()
    if colours == 3:
        more["t320"] = tuple(chance.randrange(65536) for _ in range(3 * 2 ** min(bits, 8)))
    data = tiff(values, bits, colours, **more)
    if colours in (0, 1) and bands == 1:
        return data, seen(1 - shares if colours == 0 else shares)
    straight = colours == 2 and (bands == 3 or (bands == 4 and extra in ((1,), (2,))))
    return data, seen(shares) if straight else None


def any_jpeg2000(chance: random.Random) -> Made:
    bands = chance.choice((1, 3, 4))
    bits = [chance.randint(1, 16)] * bands if chance.random() < 0.5 else [chance.randint(1, 16) for _ in range(bands)]
    white = 2 ** np.array(bits) - 1
    values = np.rint(samples(chance, bands, 65535) / 65535 * white).astype(int)
    return jpeg2000(values, tuple(bits)), seen(values / white)


def any_avif(chance: random.Random) -> Made:
    bits, bands = chance.choice((8, 10, 12)), chance.choice((1, 3, 4))
    values = samples(chance, bands, 2**bits - 1)
    return avif(values, bits), seen(values / (2**bits - 1))


def any_pnm(chance: random.Random) -> Made:
    largest = chance.choice((chance.randint(1, 255), chance.randint(1, 65535), 255, 65535))
    values = samples(chance, chance.choice((1, 3)), largest)
    return pnm(values, largest, text=chance.random() < 0.5), seen(values / largest)


KINDS: tuple[Callable[[random.Random], Made], ...] = (any_tiff, any_tiff, any_jpeg2000, any_avif, any_pnm)


def once(chance: random.Random) -> None:
    """A whole file is seen as it was written, or named; a damaged one is seen or refused in one line."""
    limit_memory()
    data, expected = chance.choice(KINDS)(chance)
    size = (33, 33) if expected is None else expected.shape[:2]
    try:
        found = decode(data, ImageSpec(*size, background=BACKGROUND))
    except ImageError as error:
        assert "not supported" in error.message, (error.message, data[:200])
    else:
        if expected is not None:
            worst = np.abs(found - expected).max()
            assert worst <= ALLOWED, (worst, data[:200])
    answer(damage(data, chance))

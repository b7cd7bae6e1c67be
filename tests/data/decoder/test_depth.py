"""Every depth of every format: the values that were written, and those that Pillow reads."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from cnnctl.data.decoder.images import ImageError, ImageSpec, decode
from tests.deep import avif, jpeg2000, packed, pnm, tiff, tiled_tiff
from tests.images import encode, pillow_pixels

BACKGROUND = (10, 200, 90)
HEIGHT, WIDTH = 32, 41


def noise(bands: int, bits: int | tuple[int, ...]) -> np.ndarray:
    """Samples of every value from black to white, (height, width, bands)."""
    most = np.broadcast_to(2 ** np.array(bits) - 1, bands)
    chance = np.random.default_rng(bands)
    samples = np.stack([chance.integers(0, most[band], (HEIGHT, WIDTH), endpoint=True) for band in range(bands)], -1)
    samples[0, 0], samples[0, 1] = 0, most
    return samples


def seen(samples: np.ndarray, white: np.ndarray | int) -> np.ndarray:
    """What a person sees of samples, as real numbers of 0 to 255 of (height, width, 3)."""
    shares = samples / white
    colours = shares[:, :, :3] if shares.shape[2] > 2 else np.repeat(shares[:, :, :1], 3, axis=2)
    if shares.shape[2] % 2:
        return 255 * colours
    alpha = shares[:, :, -1:]
    return 255 * colours * alpha + np.array(BACKGROUND) * (1 - alpha)


def check(data: bytes, expected: np.ndarray, allowed: float = 0.501) -> None:
    """Rounding once is half a level; with an alpha channel colours, alpha and their mixture are rounded."""
    found = decode(data, ImageSpec(*expected.shape[:2], background=BACKGROUND))
    assert np.abs(found - expected).max() <= allowed


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_avif(bits: int, bands: int) -> None:
    data = avif(noise(bands, bits), bits)
    check(data, seen(noise(bands, bits), 2**bits - 1), 1.5 if bands == 4 else 0.501)
    check(data, pillow_pixels(data, BACKGROUND), 1)


@pytest.mark.parametrize("range_", ["full", "limited"])
@pytest.mark.parametrize("subsampling", ["4:0:0", "4:2:0"])
def test_grey_avif_of_both_ranges(range_: str, subsampling: str) -> None:
    """OpenCV leaves grey of a limited range, 16 to 235, as it is."""
    image = Image.fromarray(noise(1, 8)[:, :, 0].astype(np.uint8))
    data = encode(image, "AVIF", quality=100, range=range_, subsampling=subsampling)
    check(data, pillow_pixels(data, BACKGROUND), 1)


def test_a_grey_avif_with_alpha_is_named() -> None:
    image = Image.fromarray(noise(2, 8).astype(np.uint8), "LA")
    with pytest.raises(ImageError, match="it is a grey AVIF image with an alpha channel"):
        decode(encode(image, "AVIF", subsampling="4:0:0"), ImageSpec(4, 4))


@pytest.mark.parametrize("place", [0, 1])
def test_an_avif_that_contradicts_itself(place: int) -> None:
    """Its box `av1C` says 10 bits, its frames say 12."""
    data = bytearray(avif(noise(3, 12), 12))
    data[data.index(b"av1C") + 6] ^= (0x20, 0x40)[place]
    with pytest.raises(ImageError, match="the AVIF image is damaged"):
        decode(bytes(data), ImageSpec(4, 4))


@pytest.mark.parametrize("bits", [8, 9, 10, 11, 12, 14, 15, 16])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_jpeg_2000(bits: int, bands: int) -> None:
    data = jpeg2000(noise(bands, bits), (bits,) * bands)
    check(data, seen(noise(bands, bits), 2**bits - 1), 1.5 if bands == 4 else 0.501)


@pytest.mark.parametrize("bits", [(12, 12, 12, 8), (8, 8, 8, 1), (8, 8, 8, 12), (10, 12, 8)])
def test_jpeg_2000_with_components_of_several_depths(bits: tuple[int, ...]) -> None:
    samples = noise(len(bits), bits)
    check(jpeg2000(samples, bits), seen(samples, 2 ** np.array(bits) - 1), 1.5 if len(bits) == 4 else 0.501)


@pytest.mark.parametrize("largest", [1, 2, 3, 15, 100, 254, 255, 256, 1000, 1023, 4095, 65534, 65535])
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("text", [False, True])
def test_pnm(largest: int, bands: int, text: bool) -> None:
    samples = noise(bands, 16) * largest // 65535
    data = pnm(samples, largest, text)
    check(data, seen(samples, largest))
    check(data, pillow_pixels(data, BACKGROUND), 1)


@pytest.mark.parametrize("largest", [15, 255])
def test_a_value_above_the_largest_is_white(largest: int) -> None:
    data = b"P5 2 1 %d " % largest + bytes([largest, 255])
    assert (decode(data, ImageSpec(1, 2)) == 255).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("rows", [7, 100])
@pytest.mark.parametrize(
    ("bits", "bands"), [(1, 1), *((bits, bands) for bits in (8, 10, 12, 14, 16) for bands in (1, 3, 4))]
)
def test_tiff(bits: int, bands: int, order: str, rows: int) -> None:
    samples = noise(bands, bits)
    extra = {"t338": (2,)} if bands == 4 else {}
    data = tiff(samples, bits, 1 if bands == 1 else 2, order=order, rows=rows, **extra)
    check(data, seen(samples, 2**bits - 1), 1.5 if bands == 4 else 0.501)
    if bits == 16 and bands == 1:
        check(data, pillow_pixels(data, BACKGROUND), 1)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_tiff_in_tiles(bits: int, bands: int) -> None:
    extra = {"t338": (2,)} if bands == 4 else {}
    data = tiled_tiff(noise(bands, bits), bits, 1 if bands == 1 else 2, 32, **extra)
    check(data, seen(noise(bands, bits), 2**bits - 1), 1.5 if bands == 4 else 0.501)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_tiff_of_colours_that_were_multiplied_by_alpha(bits: int) -> None:
    samples = noise(4, bits)
    multiplied = samples.copy()
    multiplied[:, :, :3] = np.rint(samples[:, :, :3] * (samples[:, :, 3:] / (2**bits - 1)))
    check(tiff(multiplied, bits, 2, t338=(1,)), seen(samples, 2**bits - 1), 1.5)


@pytest.mark.parametrize("bits", [1, 8])
def test_tiff_whose_zero_is_white(bits: int) -> None:
    check(tiff(noise(1, bits), bits, 0), 255 - seen(noise(1, bits), 2**bits - 1))


@pytest.mark.parametrize("bits", [4, 8])
def test_tiff_with_a_palette_of_16_bits(bits: int) -> None:
    palette = np.random.default_rng(0).integers(0, 65536, (3, 2**bits))
    data = tiff(noise(1, bits), bits, 3, t320=tuple(map(int, palette.ravel())))
    check(data, palette.T[noise(1, bits)[:, :, 0]] / 257, 1)


def test_tiff_with_8_bit_bands_one_after_the_other() -> None:
    check(tiff(noise(3, 8), 8, 2, planar=True), noise(3, 8))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [12, 16])
def test_deep_tiff_is_upright(orientation: int, bits: int) -> None:
    samples = noise(3, bits)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.rint(seen(samples, 2**bits - 1)).astype(np.uint8))
    image.info["exif"] = exif.tobytes()
    check(tiff(samples, bits, 2, t274=(orientation,)), np.asarray(ImageOps.exif_transpose(image)))


def png(samples: np.ndarray, bits: int, kind: int, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, 0))
    rows = b"".join(b"\0" + packed(row.reshape(1, -1), bits, ">") for row in samples)
    others = b"".join(chunk(*each) for each in chunks)
    return b"\x89PNG\r\n\x1a\n" + head + others + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("bits", "kind", "bands"),
    [(bits, 0, 1) for bits in (1, 2, 4, 8, 16)]
    + [(bits, kind, bands) for bits in (8, 16) for kind, bands in ((2, 3), (4, 2), (6, 4))],
)
@pytest.mark.parametrize("significant", [False, True])
def test_png(bits: int, kind: int, bands: int, significant: bool) -> None:
    """What the chunk sBIT says of the significant bits is none of the reader's business: samples fill all bits."""
    chunks = [(b"sBIT", bytes([1 if bits == 1 else bits // 2] * bands))] if significant else []
    check(
        png(noise(bands, bits), bits, kind, *chunks), seen(noise(bands, bits), 2**bits - 1), 0.501 if bands % 2 else 1.5
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_png_with_a_palette(bits: int) -> None:
    palette = np.random.default_rng(0).integers(0, 256, (2**bits, 3)).astype(np.uint8)
    data = png(noise(1, bits), bits, 3, (b"PLTE", palette.tobytes()))
    check(data, palette[noise(1, bits)[:, :, 0]], 0)

"""Small real images of every mode, made by Pillow."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()

HEIGHT, WIDTH = 37, 50


def encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """The bytes of an image file."""
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def picture(height: int = HEIGHT, width: int = WIDTH) -> Image.Image:
    """Slopes of three colours and two squares: no two orientations look alike."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    pixels = np.stack([250 * x, 240 * y, 255 - 120 * (x + y)], axis=-1).astype(np.uint8)
    pixels[height // 8 : height // 3, width // 8 : width // 3] = (250, 10, 20)
    pixels[height // 2 :, width // 2 : width // 2 + 3] = (0, 0, 0)
    return Image.fromarray(pixels)


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth noise of several sizes, which looks like a photo to a filter: uint8 (height, width, 3)."""
    generator = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for size, weight in ((4, 60), (10, 40), (24, 14)):
        noise = generator.uniform(-1, 1, (size, size, 3))
        for channel in range(3):
            layer = Image.fromarray(noise[:, :, channel].astype(np.float32))
            total[:, :, channel] += weight * np.asarray(layer.resize((width, height), Image.Resampling.BICUBIC))
    return np.clip(total + 128, 0, 255).astype(np.uint8)


def with_alpha() -> Image.Image:
    """`picture()` that fades out to the left."""
    image = picture()
    image.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))))
    return image


def png_chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def grey_png(bits: int, width: int, rows: list[bytes], transparent: int | None = None) -> bytes:
    """A grey PNG of 1 to 16 bits a pixel, its rows packed by the caller, with a tRNS chunk where asked."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), bits, 0, 0, 0, 0))
    clear = b"" if transparent is None else png_chunk(b"tRNS", struct.pack(">H", transparent))
    pixels = png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + clear + pixels + png_chunk(b"IEND", b"")


def grey16() -> Image.Image:
    """`picture()` in 16-bit grey, with low bytes that matter."""
    grey = np.asarray(picture().convert("L")).astype(np.uint16)
    return Image.fromarray(grey * 256 + np.arange(WIDTH, dtype=np.uint16) * 5)


def every_mode() -> dict[str, bytes]:
    """A file of each format and mode that can be read, by a name for it."""
    colour, fading = picture(), with_alpha()
    grey, palette, bilevel = colour.convert("L"), colour.quantize(64), colour.convert("1")
    grey_alpha = Image.merge("LA", [grey, fading.getchannel("A")])
    other = ImageOps.invert(colour)
    return {
        "grey jpeg": encode(grey, "JPEG"),
        "rgb jpeg": encode(colour, "JPEG", quality=95),
        "progressive jpeg": encode(colour, "JPEG", progressive=True),
        "cmyk jpeg": encode(colour.convert("CMYK"), "JPEG", quality=95),
        "mpo": encode(colour, "MPO", save_all=True, append_images=[other]),
        "grey png": encode(grey, "PNG"),
        "rgb png": encode(colour, "PNG"),
        "rgba png": encode(fading, "PNG"),
        "grey alpha png": encode(grey_alpha, "PNG"),
        "palette png": encode(palette, "PNG"),
        "palette png, one transparent": encode(palette, "PNG", transparency=3),
        "palette png, several transparent": encode(palette, "PNG", transparency=bytes(range(0, 256, 4))),
        "rgb png, one transparent": encode(colour, "PNG", transparency=(250, 10, 20)),
        "grey png, one transparent": encode(grey, "PNG", transparency=grey.getpixel((10, 8))),
        "1-bit png, one transparent": encode(bilevel, "PNG", transparency=0),
        "1-bit png": encode(bilevel, "PNG"),
        "16-bit grey png": encode(grey16(), "PNG"),
        "animated png": encode(colour, "PNG", save_all=True, append_images=[other]),
        "gif": encode(palette, "GIF"),
        "transparent gif": encode(palette, "GIF", transparency=3),
        "animated gif": encode(palette, "GIF", save_all=True, append_images=[other.quantize(8)]),
        "webp": encode(colour, "WEBP"),
        "lossless webp with alpha": encode(fading, "WEBP", lossless=True, exact=True),
        "animated webp": encode(colour, "WEBP", lossless=True, save_all=True, append_images=[other]),
        "avif": encode(colour, "AVIF", quality=95),
        "grey avif": encode(grey, "AVIF", quality=95),
        "avif with alpha": encode(fading, "AVIF", quality=95),
        "heic": encode(colour, "HEIF", quality=95),
        "grey heic": encode(grey, "HEIF", quality=95),
        "heic with alpha": encode(fading, "HEIF", quality=95),
        "bmp": encode(colour, "BMP"),
        "grey bmp": encode(grey, "BMP"),
        "palette bmp": encode(palette, "BMP"),
        "1-bit bmp": encode(bilevel, "BMP"),
        "ppm": encode(colour, "PPM"),
        "pgm": encode(grey, "PPM"),
        "pbm": encode(bilevel, "PPM"),
        "16-bit pgm": encode(grey16(), "PPM"),
        "jpeg 2000": encode(colour, "JPEG2000"),
        "jpeg 2000 codestream": encode(colour, "JPEG2000", no_jp2=True),
        "jpeg 2000 with alpha": encode(fading, "JPEG2000"),
        "tiff": encode(colour, "TIFF"),
        "grey tiff": encode(grey, "TIFF"),
        "16-bit grey tiff": encode(grey16(), "TIFF"),
        "1-bit tiff": encode(bilevel, "TIFF", compression="group4"),
        "palette tiff": encode(palette, "TIFF", compression="packbits"),
        "cmyk tiff": encode(colour.convert("CMYK"), "TIFF"),
        "lzw cmyk tiff": encode(colour.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "jpeg tiff": encode(colour, "TIFF", compression="jpeg"),
        "tiff with alpha": encode(fading, "TIFF"),
        "deflate tiff with alpha": encode(fading, "TIFF", compression="tiff_deflate"),
    }


def write_classes(root: Path, counts: dict[str, int], size: int = 6) -> Path:
    """Class folders of little PNG files, no two alike: `root/<class>/<number>.png`."""
    for place, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image = Image.fromarray(photo(size, size, seed=1000 * place + number))
            image.save(root / name / f"{number}.png")
    return root


def pillow_pixels(data: bytes, background: tuple[int, int, int]) -> np.ndarray:
    """What Pillow makes of a file: upright, in 8 bits, over the background: uint8 (height, width, 3)."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode.startswith("I"):
        image = Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
    if image.mode == "CMYK":
        image = image.convert("RGB")
    under = Image.new("RGBA", image.size, (*background, 255))
    return np.asarray(Image.alpha_composite(under, image.convert("RGBA")).convert("RGB"))

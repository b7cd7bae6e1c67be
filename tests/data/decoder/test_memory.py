"""How much memory one image may take, and that it takes no more than it is counted for."""

import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnctl.data.decoder import headers
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode, opencv
from cnnctl.data.decoder.memory import bytes_of, bytes_of_a_pixel
from tests.deep import avif
from tests.images import encode, every_mode, photo, png_chunk

MODES = every_mode()
SIDE = 1500
PROBE = """
import sys
from pathlib import Path
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode
def highest():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith("VmHWM")) * 1024
decode(Path(sys.argv[1]).read_bytes(), ImageSpec(8, 8))
data, before = Path(sys.argv[2]).read_bytes(), highest()
try:
    decode(data, ImageSpec(8, 8))
except ImageError as error:
    print(error.message, file=sys.stderr)
print(highest() - before)
"""


def taken(tmp_path: Path, data: bytes) -> tuple[int, str]:
    """(bytes that a new process takes to decode an image beyond those of a small one, what it says)."""
    (tmp_path / "small").write_bytes(MODES["rgb png"])
    (tmp_path / "image").write_bytes(data)
    command = [sys.executable, "-c", PROBE, tmp_path / "small", tmp_path / "image"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout), done.stderr


def deep_png(height: int, width: int) -> bytes:
    """An empty 16-bit PNG with an alpha channel."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 8 * width)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((16, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def large(kind: str) -> bytes:
    pixels = np.resize(photo(300, 300), (SIDE, SIDE, 3))
    deep = np.dstack([pixels, pixels[:, :, 0]]).astype(np.uint16) * 257
    image = Image.fromarray(pixels)
    match kind:
        case "png of 16 bits with alpha":
            return opencv().imencode(".png", deep)[1].tobytes()
        case "tiff of 16 bits":
            return opencv().imencode(".tiff", deep[:, :, :3])[1].tobytes()
        case "png with alpha":
            return opencv().imencode(".png", (deep // 257).astype(np.uint8))[1].tobytes()
        case "ppm of 16 bits":
            return opencv().imencode(".ppm", deep[:, :, :3])[1].tobytes()
        case "progressive cmyk jpeg":
            return encode(image.convert("CMYK"), "JPEG", progressive=True)
        case "avif of 10 bits with alpha":
            return avif(deep.astype(int) >> 6, 10)
        case "avif with alpha":
            return encode(Image.fromarray((deep // 257).astype(np.uint8)), "AVIF", speed=10)
        case "HEIF of 4:4:4":
            return encode(image, "HEIF", quality=10, chroma=444)
    return encode(image, kind)


KINDS = ("png of 16 bits with alpha", "tiff of 16 bits", "png with alpha", "ppm of 16 bits")
KINDS += (
    "progressive cmyk jpeg",
    "avif with alpha",
    "avif of 10 bits with alpha",
    "JPEG",
    "JPEG2000",
    "BMP",
    "TIFF",
    "GIF",
    "WEBP",
    "HEIF of 4:4:4",
)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("kind", KINDS)
def test_no_more_is_taken_than_is_counted(kind: str, tmp_path: Path) -> None:
    """But for what decoders keep whatever the size of an image."""
    data = large(kind)
    name = headers.image_format(data)
    assert name is not None
    found, said = taken(tmp_path, data)
    assert said == ""
    counted = bytes_of(data, name, (SIDE, SIDE))
    assert found <= counted + 24 * 2**20, f"{found / SIDE**2:.1f} bytes a pixel, {counted / SIDE**2} are counted"


def test_a_deep_image_at_the_limit_of_pixels_is_refused(tmp_path: Path) -> None:
    """64 megapixels of 8 bytes took almost 3 GiB; half a megabyte of file."""
    found, said = taken(tmp_path, deep_png(8192, 8192))
    assert said.startswith("decoding it takes about 1.06 GiB of memory, more than 1.00 GiB")
    assert found < 2**24


def test_the_limit_of_memory_follows_that_of_pixels() -> None:
    data = deep_png(3000, 3000)
    assert not decode(data, ImageSpec(8, 8)).any()
    with pytest.raises(ImageError, match=r"decoding it takes about 0\.14 GiB of memory, more than 0\.13 GiB") as caught:
        decode(data, ImageSpec(8, 8, max_pixels=9_000_000))
    assert "data.image.max_megapixels raises the limit" in (caught.value.hint or "")


@pytest.mark.parametrize("name", MODES)
def test_every_mode_is_counted(name: str) -> None:
    file_format = headers.image_format(MODES[name])
    assert file_format is not None
    assert 3 <= bytes_of_a_pixel(MODES[name], file_format) <= 35


def test_depth_and_channels_count() -> None:
    def of(name: str) -> int:
        return bytes_of_a_pixel(MODES[name], headers.image_format(MODES[name]) or "")

    assert of("grey png") < of("rgb png") < of("rgba png") < bytes_of_a_pixel(deep_png(2, 2), "PNG")
    assert of("grey jpeg") < of("rgb jpeg") < of("progressive jpeg")
    assert of("rgb png") < of("rgb png, one transparent")
    assert of("avif") < of("avif with alpha")
    assert of("jpeg 2000") < of("jpeg 2000 with alpha")

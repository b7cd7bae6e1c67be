"""THE decoder: every mode against Pillow, every orientation, the geometry of fitting, and every sort of bad file."""

import os
import re
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from cnnctl.data.decoder import images
from cnnctl.data.decoder.images import ImageError, ImageSpec, crop_window, decode, fit, opencv, read_image
from cnnctl.data.decoder.memory import ByteBudget
from tests.images import HEIGHT, WIDTH, encode, every_mode, grey_png, picture, pillow_pixels, with_alpha

MODES = every_mode()
OWN_SIZE = ImageSpec(HEIGHT, WIDTH)
BACKGROUND = (10, 200, 90)


def difference(found: np.ndarray, expected: np.ndarray) -> int:
    assert found.shape == expected.shape
    return int(np.abs(found.astype(int) - expected).max())


class TestModes:
    @pytest.mark.parametrize("name", MODES)
    def test_colours_are_pillows(self, name: str) -> None:
        """One grey level is rounding: of CMYK's conversion, and of libtiff's multiplication by alpha."""
        found = decode(MODES[name], ImageSpec(HEIGHT, WIDTH, background=BACKGROUND))
        allowed = 1 if "cmyk" in name or "tiff with alpha" in name else 0
        assert found.dtype == np.uint8
        assert difference(found, pillow_pixels(MODES[name], BACKGROUND)) <= allowed

    @pytest.mark.parametrize("name", MODES)
    def test_grey_is_the_luma_of_the_colours(self, name: str) -> None:
        found = decode(MODES[name], ImageSpec(HEIGHT, WIDTH, channels=1, background=BACKGROUND))
        assert found.shape == (HEIGHT, WIDTH, 1)
        colours = decode(MODES[name], ImageSpec(HEIGHT, WIDTH, background=BACKGROUND))
        assert difference(found[:, :, 0], colours @ [0.299, 0.587, 0.114]) <= 1

    @pytest.mark.parametrize("suffix", [".png", ".tiff", ".ppm"])
    def test_16_bit_colours(self, suffix: str) -> None:
        """No work for Pillow, which knows no such mode: 8 bits are 16 bits over 257, rounded."""
        generator = np.random.default_rng(0)
        pixels = generator.integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
        data = opencv().imencode(suffix, pixels[:, :, ::-1])[1].tobytes()
        assert difference(decode(data, OWN_SIZE), np.rint(pixels / 257)) == 0

    def test_16_bit_colours_with_alpha(self) -> None:
        pixels = np.asarray(with_alpha()).astype(np.uint16) * 257
        data = opencv().imencode(".png", pixels[:, :, [2, 1, 0, 3]])[1].tobytes()
        expected = pillow_pixels(encode(with_alpha(), "PNG"), BACKGROUND)
        assert difference(decode(data, ImageSpec(HEIGHT, WIDTH, background=BACKGROUND)), expected) == 0

    @pytest.mark.parametrize(
        ("bits", "row", "transparent", "expected"),
        [
            (2, bytes([0b00_01_11_00]), 1, [0, None, 255]),
            (4, bytes([0x0F, 0xA0]), 15, [0, None, 170]),
            (16, struct.pack(">3H", 0, 1000, 40000), 1000, [0, None, 156]),
        ],
    )
    def test_transparent_grey(self, bits: int, row: bytes, transparent: int, expected: list[int | None]) -> None:
        found = decode(grey_png(bits, 3, [row], transparent), ImageSpec(1, 3, background=(1, 2, 3)))
        assert found[0].tolist() == [[1, 2, 3] if value is None else [value] * 3 for value in expected]

    def test_one_pixel(self) -> None:
        data = encode(Image.new("RGB", (1, 1), (3, 99, 201)), "PNG")
        assert decode(data, ImageSpec(1, 1)).tolist() == [[[3, 99, 201]]]
        for fitting in ("stretch", "crop", "pad"):
            assert (decode(data, ImageSpec(4, 4, fit=fitting)) == [3, 99, 201]).all()


class TestOrientation:
    @pytest.mark.parametrize("value", range(1, 9))
    @pytest.mark.parametrize(
        ("file_format", "mode", "options"),
        [
            ("JPEG", "RGB", {"quality": 95}),
            ("JPEG", "L", {}),
            ("PNG", "RGB", {}),
            ("PNG", "RGBA", {}),
            ("PNG", "P", {}),
            ("WEBP", "RGBA", {"lossless": True, "exact": True}),
            ("TIFF", "RGB", {}),
            ("TIFF", "L", {"compression": "tiff_lzw"}),
            ("TIFF", "RGB", {"compression": "jpeg"}),
            ("TIFF", "1", {}),
            ("AVIF", "RGB", {"quality": 95}),
        ],
    )
    def test_is_pillows(self, value: int, file_format: str, mode: str, options: dict[str, object]) -> None:
        image = with_alpha() if mode == "RGBA" else picture().convert(mode)
        exif = Image.Exif()
        exif[0x0112] = value
        data = encode(image, file_format, exif=exif, **options)
        expected = pillow_pixels(data, BACKGROUND)
        assert expected.shape[:2] == ((WIDTH, HEIGHT) if value > 4 else (HEIGHT, WIDTH))
        found = decode(data, ImageSpec(*expected.shape[:2], background=BACKGROUND))
        assert difference(found, expected) == 0

    @pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
    def test_changing_only_the_tag_changes_only_the_view(self, file_format: str) -> None:
        """The eight variants of one file are the eight views of the same decoded pixels, to the bit."""
        exif = Image.Exif()
        exif[0x0112] = 1
        data = encode(picture(), file_format, exif=exif)
        order = ">" if b"MM\0*" in data else "<"
        place = data.index(struct.pack(f"{order}HHI", 0x0112, 3, 1))
        upright = decode(data, OWN_SIZE)
        views = {
            1: upright,
            2: upright[:, ::-1],
            3: upright[::-1, ::-1],
            4: upright[::-1],
            5: upright.swapaxes(0, 1),
            6: upright[::-1].swapaxes(0, 1),
            7: upright[::-1, ::-1].swapaxes(0, 1),
            8: upright[:, ::-1].swapaxes(0, 1),
        }
        for value, view in views.items():
            turned = bytearray(data)
            turned[place + 8 : place + 10] = struct.pack(f"{order}H", value)
            if file_format == "PNG":
                start = turned.index(b"eXIf")
                length = int.from_bytes(turned[start - 4 : start], "big")
                checksum = zlib.crc32(turned[start : start + 4 + length])
                turned[start + 4 + length : start + 8 + length] = struct.pack(">I", checksum)
            found = decode(bytes(turned), ImageSpec(*view.shape[:2]))
            assert np.array_equal(found, view), value


class TestFit:
    @pytest.mark.parametrize(
        ("size", "target", "window"),
        [
            ((10, 20), (5, 5), (0, 5, 10, 10)),
            ((20, 10), (5, 5), (5, 0, 10, 10)),
            ((10, 21), (5, 5), (0, 5, 10, 10)),
            ((11, 20), (5, 5), (0, 4, 11, 11)),
            ((10, 20), (10, 5), (0, 7, 10, 5)),
            ((7, 7), (3, 3), (0, 0, 7, 7)),
            ((100, 1), (10, 20), (49, 0, 1, 1)),
            ((1, 100), (20, 10), (0, 49, 1, 1)),
        ],
    )
    def test_crop_window(self, size: tuple[int, int], target: tuple[int, int], window: tuple[int, ...]) -> None:
        assert crop_window(*size, ImageSpec(*target)) == window

    @settings(deadline=None, derandomize=True)
    @given(
        size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
        target=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    )
    def test_crop_window_is_inside_centred_and_touches_two_sides(
        self, size: tuple[int, int], target: tuple[int, int]
    ) -> None:
        top, left, high, wide = crop_window(*size, ImageSpec(*target))
        assert 0 <= top <= top + high <= size[0]
        assert 0 <= left <= left + wide <= size[1]
        assert size[0] - high - 2 * top in (0, 1)
        assert size[1] - wide - 2 * left in (0, 1)
        assert high == size[0] or wide == size[1]

    def test_crop_keeps_the_centre(self) -> None:
        pixels = np.arange(10 * 20 * 3, dtype=np.uint32).reshape(10, 20, 3).astype(np.uint8)
        assert np.array_equal(fit(pixels, ImageSpec(10, 10, fit="crop")), pixels[:, 5:15])

    @pytest.mark.parametrize(
        ("size", "target", "inner"),
        [
            ((10, 20), (20, 20), (5, 0, 10, 20)),
            ((20, 10), (20, 20), (0, 5, 20, 10)),
            ((10, 20), (10, 10), (2, 0, 5, 10)),
            ((10, 10), (10, 31), (0, 10, 10, 10)),
            ((1, 300), (8, 8), (3, 0, 1, 8)),
        ],
    )
    @pytest.mark.parametrize("channels", [1, 3])
    def test_pad_positions(
        self, size: tuple[int, int], target: tuple[int, int], inner: tuple[int, ...], channels: int
    ) -> None:
        """The whole image in the middle, the background around it: as its luma in grey."""
        pixels = np.full((*size, 3) if channels == 3 else size, 200, np.uint8)
        found = fit(pixels, ImageSpec(*target, channels, "pad", BACKGROUND))
        expected = np.empty((*target, channels), np.uint8)
        expected[:] = BACKGROUND if channels == 3 else round(0.299 * 10 + 0.587 * 200 + 0.114 * 90)
        top, left, high, wide = inner
        expected[top : top + high, left : left + wide] = 200
        assert np.array_equal(found, expected)

    def test_shrinking_averages_areas(self) -> None:
        """By 4 along both sides: each pixel is the mean of 4x4."""
        pixels = np.asarray(picture(40, 80))
        expected = pixels.reshape(10, 4, 20, 4, 3).mean(axis=(1, 3))
        assert difference(fit(pixels, ImageSpec(10, 20)), expected) <= 1

    def test_enlarging_interpolates(self) -> None:
        """Linear between pixel centres: at 2 pixels enlarged to 4, they lie at -1/4, 1/4, 3/4, 5/4."""
        pixels = np.array([[0, 200]], np.uint8)
        assert fit(pixels, ImageSpec(1, 4, channels=1))[0, :, 0].tolist() == [0, 50, 150, 200]

    def test_one_side_shrinks_and_the_other_grows(self) -> None:
        """Areas averaged along the first, linear along the second."""
        pixels = np.array([[0, 200], [40, 240], [80, 80], [120, 120]], np.uint8)
        found = fit(pixels, ImageSpec(2, 4, channels=1))
        assert found[:, :, 0].tolist() == [[20, 70, 170, 220], [100, 100, 100, 100]]

    def test_its_own_size_changes_nothing(self) -> None:
        for fitting in ("stretch", "crop", "pad"):
            assert np.array_equal(fit(np.asarray(picture()), ImageSpec(HEIGHT, WIDTH, fit=fitting)), picture())

    def test_background_lies_under_alpha_and_around_padding(self) -> None:
        clear = encode(Image.new("RGBA", (4, 8), (255, 0, 0, 0)), "PNG")
        assert (decode(clear, ImageSpec(8, 8, fit="pad", background=BACKGROUND)) == BACKGROUND).all()


TIFF_FLOAT = encode(picture().convert("L").convert("F"), "TIFF")
TIFF_INT = encode(picture().convert("L").convert("I"), "TIFF")
TIFF_GREY_ALPHA = encode(with_alpha().convert("LA"), "TIFF")
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


def white_is_zero() -> bytes:
    """A 16-bit grey TIFF whose photometric interpretation was set to 0."""
    data = encode(Image.fromarray(np.zeros((4, 4), np.uint16)), "TIFF")
    return data.replace(struct.pack("<HHIH", 262, 3, 1, 1), struct.pack("<HHIH", 262, 3, 1, 0))


class TestBadFiles:
    @pytest.mark.parametrize(
        ("data", "reason", "hint"),
        [
            (b"", "the file is empty", None),
            (b"I am no picture\n", "it is a text file", None),
            (b"<!doctype html><p>Not found", "it is an HTML page", None),
            (b"%PDF-1.4\n\xe2\xe3", "it is a PDF document", None),
            (HEIC, "the HEIC image is damaged: its header has no valid size", None),
            (b"P7\nWIDTH 1\nHEIGHT 1\n", "PAM is not supported", "convert it to PNG"),
            (b"Pf\n1 1\n-1.0\n\0\0\0\0", "PFM is not supported", "convert it to PNG"),
            (b"\x93\x01\xfe\xff" * 9, "it is not an image in a format that is known here", None),
            (b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4, "the JPEG file is cut off: its end is missing", None),
            (b"\x89PNG\r\n\x1a\n" + bytes(64) + b"IEND", "the PNG image is damaged", None),
            (b"GIF89a" + bytes(40), "the GIF image ", None),
            (b"BM" + bytes(80), "the BMP image ", None),
            (TIFF_FLOAT, "it is a TIFF of 32-bit floating-point numbers", "scale its values to 8 bits"),
            (TIFF_INT, "it is a TIFF of 32-bit signed numbers", "scale its values to 8 bits"),
            (TIFF_GREY_ALPHA, "it is a grey TIFF with an alpha channel", "convert it to PNG"),
            (white_is_zero(), "it is a 16-bit grey TIFF whose zero is white", "convert it to PNG"),
        ],
        ids=lambda value: value[:40] if isinstance(value, str) else None,
    )
    def test_reason(self, tmp_path: Path, data: bytes, reason: str, hint: str | None) -> None:
        file = tmp_path / "photo.jpg"
        file.write_bytes(data)
        with pytest.raises(ImageError, match=re.escape(reason)) as caught:
            read_image(file, OWN_SIZE)
        assert caught.value.message.startswith(reason)
        assert (hint or "") in (caught.value.hint or "")
        assert str(tmp_path) not in caught.value.message

    @pytest.mark.parametrize(
        "data",
        [
            b"BM" + struct.pack("<IHHIIiiHHIIiiII", 9000, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
            b"P6\n60000 60000\n255\n" + bytes(1000),
            grey_png(1, 60_000, [bytes(7500)] * 1200),
        ],
        ids=["bmp", "ppm", "png"],
    )
    def test_more_pixels_than_memory_is_given_for(self, data: bytes) -> None:
        with pytest.raises(
            ImageError, match=r"its header claims 60,000 x \S+ pixels, more than 64 megapixels"
        ) as caught:
            decode(data, OWN_SIZE)
        assert caught.value.hint == "data.image.max_megapixels raises the limit"

    @pytest.mark.parametrize("name", MODES)
    def test_a_limit_holds_before_the_decoder_sees_a_byte(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        data = MODES[name]
        assert decode(data, replace(OWN_SIZE, max_pixels=HEIGHT * WIDTH)).any()
        monkeypatch.setattr(opencv(), "imdecode", None)
        with pytest.raises(ImageError, match=f"its header claims {WIDTH} x {HEIGHT} pixels"):
            decode(data, replace(OWN_SIZE, max_pixels=HEIGHT * WIDTH - 1))

    def test_large_images_take_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Six images of 4 megapixels in six threads, and a budget of two of them."""
        data = encode(Image.new("L", (2048, 2048), 7), "PNG")
        monkeypatch.setattr(images, "BUDGET", ByteBudget(2 * 8 * 2048**2))
        in_hand, most, lock = 0, 0, threading.Lock()
        decoding = images._decode

        def watched(*arguments: Any) -> Any:
            nonlocal in_hand, most
            with lock:
                in_hand += 1
                most = max(most, in_hand)
            found = decoding(*arguments)
            with lock:
                in_hand -= 1
            return found

        monkeypatch.setattr(images, "_decode", watched)
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda _: decode(data, OWN_SIZE), range(6)))
        assert [int(image.max()) for image in found] == [7] * 6
        assert most == 2

    def test_one_image_above_the_budget_is_still_decoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(images, "BUDGET", ByteBudget(1))
        assert decode(encode(Image.new("L", (2048, 2048), 7), "PNG"), OWN_SIZE).max() == 7

    def test_a_file_too_large_to_read(self, tmp_path: Path) -> None:
        with (tmp_path / "photo.bmp").open("wb") as file:
            file.truncate(100_000_001)
        with pytest.raises(ImageError, match="the file is larger than 100 MB"):
            read_image(tmp_path / "photo.bmp", OWN_SIZE)
        with pytest.raises(ImageError, match="it is not an image"):
            read_image(tmp_path / "photo.bmp", replace(OWN_SIZE, max_bytes=101_000_000))

    def test_missing_file_and_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match="there is no such file"):
            read_image(tmp_path / "gone.jpg", OWN_SIZE)
        with pytest.raises(ImageError, match="it is a folder"):
            read_image(tmp_path, OWN_SIZE)
        (tmp_path / "link.jpg").symlink_to("nowhere")
        with pytest.raises(ImageError, match="it is a link to a file that is not there"):
            read_image(tmp_path / "link.jpg", OWN_SIZE)

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "now.jpg")
        with pytest.raises(ImageError, match="it is a named pipe, not a regular file"):
            read_image(tmp_path / "now.jpg", OWN_SIZE)

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path: Path) -> None:
        file = tmp_path / "photo.png"
        file.write_bytes(MODES["rgb png"])
        file.chmod(0)
        with pytest.raises(ImageError, match="it cannot be read: Permission denied"):
            read_image(file, OWN_SIZE)

    @pytest.mark.parametrize("name", [name for name in MODES if name not in ("mpo", "animated png")])
    def test_cut_off_anywhere_is_never_half_a_picture(self, name: str) -> None:
        """The beginning of a file is refused, or gives all of its pixels (what was cut off was not of the picture)."""
        data = MODES[name]
        whole = decode(data, OWN_SIZE)
        cuts = {*range(0, len(data), max(1, len(data) // 40)), *range(len(data) - 12, len(data))}
        refused = 0
        for cut in cuts:
            try:
                assert np.array_equal(decode(data[:cut], OWN_SIZE), whole), cut
            except ImageError:
                refused += 1
        assert refused >= 0.8 * len(cuts)

    @pytest.mark.parametrize("name", ["rgb jpeg", "progressive jpeg", "cmyk jpeg", "rgb png", "palette png"])
    def test_a_jpeg_or_png_cut_off_says_so(self, name: str) -> None:
        data = MODES[name]
        for cut in range(8, len(data) - 8, len(data) // 40):
            with pytest.raises(ImageError, match="cut off: its end is missing"):
                decode(data[:cut], OWN_SIZE)

    def test_a_chunk_longer_than_the_file(self) -> None:
        """OpenCV takes the memory that a PNG's chunk says it needs, up to 4 GB, before it looks for its bytes."""
        data = bytearray(MODES["rgb png"])
        assert data[37:41] == b"IDAT"
        data[33] = 0xFF
        with pytest.raises(ImageError, match="the PNG file is cut off"):
            decode(bytes(data), OWN_SIZE)

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(data=st.binary(max_size=200), magic=st.sampled_from([mode[:12] for mode in MODES.values()] + [b""]))
    def test_arbitrary_bytes(self, data: bytes, magic: bytes) -> None:
        check_decodes_or_refuses(magic + data)

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(data=st.data(), name=st.sampled_from(sorted(MODES)))
    def test_damaged_files(self, data: st.DataObject, name: str) -> None:
        damaged = bytearray(MODES[name])
        places = st.one_of(st.integers(0, min(63, len(damaged) - 1)), st.integers(0, len(damaged) - 1))
        for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=6)):
            damaged[place] = value
        check_decodes_or_refuses(bytes(damaged))


def test_a_damaged_animation_shows_no_memory_of_other_images() -> None:
    """OpenCV's reader of animated PNG did, where a frame is damaged (found by `make fuzz`)."""
    data = bytearray(MODES["animated png"])
    place = data.index(b"fcTL") + 24  # dispose_op and blend_op of the first frame
    data[place : place + 2] = b"\x00\xff"
    seen = set()
    for colour in ((255, 0, 255), (0, 255, 0), (9, 9, 9)):
        decode(encode(Image.new("RGB", (WIDTH, HEIGHT), colour), "PNG"), OWN_SIZE)
        seen.add(decode(bytes(data), OWN_SIZE).tobytes())
    assert seen == {decode(MODES["animated png"], OWN_SIZE).tobytes()}


def check_decodes_or_refuses(data: bytes) -> None:
    try:
        found = decode(data, ImageSpec(5, 4, background=BACKGROUND))
    except ImageError as error:
        assert error.message  # noqa: PT017
        assert "\n" not in error.message  # noqa: PT017
    else:
        assert found.shape == (5, 4, 3)
        assert found.dtype == np.uint8


def test_a_view_upside_down_is_not_the_picture() -> None:
    """The test picture tells all eight orientations apart; without that, the tests above would prove nothing."""
    views = {ImageOps.exif_transpose(image).tobytes() for image in map(tagged, range(1, 9))}
    assert len(views) == 8


def tagged(value: int) -> Image.Image:
    image = picture(40, 40)
    image.getexif()[0x0112] = value
    return image

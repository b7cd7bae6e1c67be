"""Whatever a reader of strangers' bytes raises is the reason of that image, and of no other."""

import inspect
from typing import Any, NoReturn

import pytest

from cnnctl.data.decoder import bmp, headers, images, memory
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode
from cnnctl.data.decoder.refusals import MAX_PARTS, as_reason, counted
from cnnctl.serving.decoding_process import status_of
from tests.images import encode, every_mode, picture

MODES = every_mode()
SPEC = ImageSpec(8, 8)
READERS = [
    name for name, member in inspect.getmembers(headers, inspect.isfunction) if member.__module__ == headers.__name__
]
PUBLIC = [name for name in READERS if not name.startswith("_") and name != "dimensions"]  # which answers None
FAILURES = [OverflowError("int too large"), RecursionError(), KeyError("x"), UnicodeDecodeError("a", b"", 0, 1, "")]
FAILURES += [ZeroDivisionError(), MemoryError(), AssertionError(), OSError(5, "Input/output error")]


def failing(error: BaseException) -> Any:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise error

    return fail


class Hostile:
    """Fails at whatever is done with it."""

    def __getattr__(self, name: str) -> NoReturn:
        raise OverflowError(name)

    def __getitem__(self, place: Any) -> NoReturn:
        raise OverflowError(place)

    def __contains__(self, part: Any) -> NoReturn:
        raise OverflowError(part)

    def __len__(self) -> NoReturn:
        raise OverflowError


@pytest.mark.parametrize("name", PUBLIC)
def test_every_reader_of_headers_has_the_barrier(name: str) -> None:
    """A new one without it fails here."""
    reader = getattr(headers, name)
    known = ("JPEG",) if len(inspect.signature(reader).parameters) > 1 else ()
    with pytest.raises((OverflowError, TypeError)):
        inspect.unwrap(reader)(Hostile(), *known)
    with pytest.raises(ImageError, match="it is damaged: its header cannot be read"):
        reader(Hostile(), *known)


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("owner", ["headers", "memory", "bmp", "depth", "opencv", "fit"])
def test_whatever_fails_is_the_reason_of_this_image(
    owner: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = {
        "headers": (headers, "_chunks"),
        "memory": (memory, "bytes_of_a_pixel"),
        "bmp": (bmp, "pixels"),
        "depth": (images, "levels"),
        "opencv": (images.opencv(), "imdecode"),
        "fit": (images, "fit"),
    }[owner]
    data = MODES["bmp" if owner == "bmp" else "rgb png"]
    assert decode(data, SPEC).any()
    monkeypatch.setattr(*place, failing(error))
    with pytest.raises(ImageError) as caught:
        decode(data, SPEC)
    assert caught.value.message
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interruption_is_no_reason(signal: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "_chunks", failing(signal))
    with pytest.raises(type(signal)):
        decode(MODES["rgb png"], SPEC)


def test_a_box_of_2_to_the_64_bytes() -> None:
    data = b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x01ftyp" + b"\xff" * 8 + bytes(8)
    assert headers.dimensions(data, "JPEG 2000") is None
    with pytest.raises(ImageError, match="the JPEG 2000 image is damaged: its header has no valid size"):
        decode(data, SPEC)
    assert status_of(data, SPEC) == 422


def test_more_parts_than_any_file_has() -> None:
    assert list(counted(range(5), 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(ImageError, match="its header has more than 5 parts"):
        list(counted(range(6), 5))
    png = encode(picture(), "PNG")
    chunk = b"\0\0\0\0teXt\xbe\x85\x61\xdf"
    webp = encode(picture(), "WEBP")
    for data in (png[:33] + chunk * (MAX_PARTS + 1) + png[33:], webp + b"JUNK\0\0\0\0" * MAX_PARTS):
        with pytest.raises(ImageError, match=f"more than {MAX_PARTS:,} parts"):
            decode(data, SPEC)
        assert status_of(data, SPEC) == 422


def test_a_reason_of_our_own_passes_unchanged() -> None:
    own = ImageError("mine", "a hint")
    with pytest.raises(ImageError) as caught, as_reason("another"):
        raise own
    assert caught.value is own

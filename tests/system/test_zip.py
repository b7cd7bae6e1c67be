"""A member of an archive is unpacked only if it says that it is no larger than its reader wants, and is not."""

import io
import struct
import tracemalloc
import zipfile

import pytest

from cnnctl.system.zip import read_member

METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}


def archive(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as file:
        file.writestr("member", content)
    return made


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_member_is_read_up_to_the_bound_and_not_a_byte_beyond(method: int) -> None:
    content = bytes(range(250)) * 4
    with zipfile.ZipFile(archive(content, method)) as file:
        assert read_member(file, "member", 1000) == content
        assert read_member(file, "member", 10**9) == content
        with pytest.raises(ValueError, match="member has 1,000 bytes, more than 999"):
            read_member(file, "member", 999)
        with pytest.raises(ValueError, match="member has 1,000 bytes, more than 0"):
            read_member(file, "member", 0)
        with pytest.raises(KeyError):
            read_member(file, "other", 1000)


def test_a_member_that_is_refused_is_not_unpacked() -> None:
    bomb = archive(bytes(50_000_000))
    assert len(bomb.getvalue()) < 100_000
    tracemalloc.start()
    try:
        with zipfile.ZipFile(bomb) as file, pytest.raises(ValueError, match="50,000,000 bytes"):
            read_member(file, "member", 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_member_that_is_larger_than_it_says_is_damaged_and_not_unpacked_whole(method: int) -> None:
    content = bytearray(archive(bytes(20_000_000), method).getvalue())
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.rindex(mark) + place, 1000)
    made = io.BytesIO(content)
    tracemalloc.start()
    try:
        with zipfile.ZipFile(made) as file, pytest.raises(zipfile.BadZipFile):
            read_member(file, "member", 1000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_takes_any_memory_is_refused(method: int) -> None:
    with zipfile.ZipFile(archive(b"text", method)) as file, pytest.raises(ValueError, match="unsupported compression"):
        read_member(file, "member", 1000)


def test_an_unknown_method_is_refused() -> None:
    content = bytearray(archive(b"text").getvalue())
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", content, content.index(mark) + place, 93)
    with zipfile.ZipFile(io.BytesIO(content)) as file, pytest.raises(ValueError, match="unsupported compression"):
        read_member(file, "member", 1000)

"""Freed memory is kept where the C library can, and nothing happens elsewhere."""

import ctypes
from types import SimpleNamespace

import pytest

from cnnctl.system import allocator


def test_glibc_is_told_both(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda option, value: told.append((option, value)))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    allocator.keep_freed_memory()
    assert told == [(-1, 2**31 - 1), (-3, 2**30)]


@pytest.mark.parametrize("error", [OSError, TypeError])
def test_elsewhere_nothing_happens(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: object) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    allocator.keep_freed_memory()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    allocator.keep_freed_memory()

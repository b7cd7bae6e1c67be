"""Where the cache lies; on Linux where it always lay."""

import sys
from pathlib import Path

import pytest

from cnnctl.data.cache.folders import cache_folder


def test_an_absolute_xdg_cache_home_is_used_everywhere(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "cnnctl"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
@pytest.mark.parametrize("base", [None, "", "relative", "./relative", "~/relative"])
def test_on_linux_it_is_dot_cache_when_xdg_cache_home_is_no_absolute_path(monkeypatch, tmp_path, base):
    monkeypatch.setenv("HOME", str(tmp_path))
    if base is None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", base)
    assert cache_folder() == tmp_path / ".cache" / "cnnctl"


@pytest.mark.parametrize("base", ["", "relative"])
def test_it_is_an_absolute_path_that_ends_with_our_name(monkeypatch, base):
    monkeypatch.setenv("XDG_CACHE_HOME", base)
    folder = cache_folder()
    assert folder.is_absolute()
    assert "cnnctl" in folder.parts
    assert folder.is_relative_to(Path.home())

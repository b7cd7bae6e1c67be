"""Progress in a notebook: one output that is drawn anew."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from cnnctl.system.watcher import Epoch, NullProgress
from cnnctl.terminal import notebook
from cnnctl.terminal.notebook import NotebookWatcher
from cnnctl.terminal.watch import PlainWatcher, watching


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a kernel's page showed, one after the other."""
    pages: list[str] = []
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display.HTML = str  # type: ignore[attr-defined]

    def show(page: str, display_id: bool) -> SimpleNamespace:
        assert display_id
        pages.append(page)
        return SimpleNamespace(update=pages.append)

    display.display = show  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(notebook, "_BETWEEN_DRAWINGS", 0.0)
    return pages


@pytest.mark.parametrize("progress", [True, None])
def test_a_bar_moves_and_goes(drawn: list[str], progress: bool | None) -> None:
    with watching(progress, sys.stderr) as watcher:
        assert isinstance(watcher, NotebookWatcher)
        watcher.note("train: 3 images of <b>")
        watcher.progress("decoding", 1, 4)
        watcher.busy("loading TensorFlow")
        watcher.step(2, 4, 5, 10, {"loss": 0.5})
        watcher.epoch(Epoch(2, 4, {"loss": 0.25}, 0.1, 1.0, 3.0, True))
    assert '<progress value="1" max="4"' in drawn[1]
    assert "decoding: 1 of 4 images" in drawn[1]
    assert "<progress style" in drawn[2]
    assert '<progress value="15" max="40"' in drawn[3]
    assert "epoch 2 of 4, loss 0.5000" in drawn[3]
    assert "<progress" not in drawn[-1]
    assert "0.2500" in drawn[-1]
    assert all("train: 3 images of &lt;b&gt;" in page for page in drawn)


def test_nothing_is_shown_of_nothing(drawn: list[str]) -> None:
    with watching(None, sys.stderr):
        pass
    with watching(False, sys.stderr) as watcher:
        assert isinstance(watcher, NullProgress)
    assert drawn == []


def test_drawings_are_few(drawn: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_BETWEEN_DRAWINGS", 3600.0)
    watcher = NotebookWatcher()
    watcher.note("a line")
    for done in range(100):
        watcher.step(1, 1, done, 100, {"loss": 0.5})
    assert len(drawn) == 1


def test_elsewhere_nobody_hears_unless_it_is_wanted() -> None:
    with watching(None, sys.stderr) as watcher:
        assert isinstance(watcher, NullProgress)
    with watching(True, sys.stderr) as watcher:
        assert isinstance(watcher, PlainWatcher)

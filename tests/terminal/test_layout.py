"""Tables, rows of epochs and sentences in terminals of any width: no number and no word is broken."""

import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnnctl.config.difference import Difference
from cnnctl.data.cache.entries import Entry
from cnnctl.evaluation.score import score
from cnnctl.inference.answers import Answer, Prediction
from cnnctl.network_source import find_subject
from cnnctl.runs import Run
from cnnctl.runs.listing import Listed
from cnnctl.system.watcher import Epoch
from cnnctl.terminal import compare, found, layout
from cnnctl.terminal.predict import WRITERS
from cnnctl.terminal.render import LEFT, RIGHT, print_table, print_text
from cnnctl.terminal.summary import print_summary
from cnnctl.terminal.training import print_evaluation
from cnnctl.terminal.watch import PlainWatcher, TerminalWatcher
from tests.conftest import CONFIGS

WIDTHS = (60, 80, 100, 120)
_NOT_SHOWN = r"not shown in \d+ columns: (.+?)(?=\n\n|\n$)"


class Screen(io.StringIO):
    """A terminal; its width is COLUMNS."""

    def isatty(self) -> bool:
        return True


def summary() -> None:
    print_summary(find_subject(CONFIGS / "cats-dogs.yaml", []), with_formulas=True)


def runs() -> None:
    rows = [
        Listed(Run(Path(f"runs/cats-dogs/{n}")), "complete", None, datetime.now(UTC), 30, 120, 0.9123, "validation")
        for n in (1, 2)
    ]
    found.print_runs(Path("runs"), rows, rows[0].run.path, as_json=False)


def cache() -> None:
    entries = [Entry(Path("x"), "/home/somebody/photos", 1_234_567, (224, 224, 3), "stretch", 987_654_321, 0.0)]
    found.print_entries(Path("cache"), entries, left=0, as_json=False)


def evaluation() -> None:
    names = tuple(f"class {number} {'abc' * (number % 3)}" for number in range(12))
    probabilities = np.random.default_rng(0).dirichlet(np.ones(12), 40_000).astype(np.float32)
    metrics = score(probabilities, np.arange(40_000) % 12, names)
    print_evaluation(SimpleNamespace(metrics=metrics, split="validation"))  # type: ignore[arg-type]


def comparison() -> None:
    info = {"best_epoch": 117, "epochs": 120, "seconds": 12345.0, "precision": "mixed_bfloat16", "backend": "jax"}
    training = SimpleNamespace(**info, device="NVIDIA H100 80GB HBM3, by TensorFlow")
    plan = SimpleNamespace(total_params=42_467_328, multiply_adds=1_179_648_000)
    figures = {"images": 10_000, "accuracy": 0.91234, "accuracy_interval": (0.9, 0.92), "loss": 0.2345}
    one = SimpleNamespace(plan=plan, training=training, split="test", figures=figures)
    compared = [SimpleNamespace(**vars(one), letter=letter) for letter in "ABCDEFGH"]
    values = (0.001, 0.0001, {"sgd": {"momentum": 0.98765432}}, 1e-7, 5, 6, 7, 8)
    differences = [Difference("train.optimizer.adamw.learning_rate", values)]
    compare._print_configs(SimpleNamespace(runs=compared, differences=differences))  # type: ignore[arg-type]
    compare._print_results(tuple(compared))  # type: ignore[arg-type]


def predictions() -> None:
    top = tuple((f"breed {n}", 0.123456) for n in range(5))
    said = Prediction("breed 0", 0.123456, top, np.full(5, 0.2, np.float32))
    WRITERS["table"]([Answer("dogs/IMG_2024.jpg", said, None)] * 2, sys.stdout, coverage=None)


def written(text: Callable[[], None], monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, width: int) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stdout", stream)
    text()
    return stream.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("text", [summary, runs, cache, evaluation, comparison, predictions])
def test_nothing_is_broken_at_any_width(text: Callable[[], None], width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written(text, monkeypatch, io.StringIO(), width).split()
    shown = written(text, monkeypatch, Screen(), width)
    assert max(map(len, shown.splitlines())) <= width
    shown = re.sub(_NOT_SHOWN, "", shown, flags=re.DOTALL)
    numbers = {word for word in shown.split() if re.search(r"\d", word)}
    assert numbers <= set(whole)
    words = {word for word in shown.split() if "─" not in word}
    assert words - set(whole) <= {"multiply-", "adds"}


def test_a_pipe_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    header = written(summary, monkeypatch, io.StringIO(), 20).splitlines()[2]
    columns = ["layer", "type", "settings", "output", "parameters", "not trained", "multiply-adds", "receptive field"]
    assert re.split(r" {3,}", header) == columns


def test_the_least_important_columns_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(width: int) -> list[str]:
        shown = written(summary, monkeypatch, Screen(), width)
        return [" ".join(text.split()) for text in re.findall(_NOT_SHOWN, shown, re.DOTALL)]

    assert missing(200) == []
    assert missing(120) == ["type"]
    assert missing(80) == ["type, not trained, receptive field"]
    assert missing(60) == ["type, settings, not trained, multiply-adds, receptive field"]


def test_what_fits_nowhere_is_split_or_folded() -> None:
    def printed(width: int, *cells: str) -> list[str]:
        columns = [layout.measured("", [cell], place > 0) for place, cell in enumerate(cells)]
        return [f"{block.gap}: {block.widths}" for block in layout.arranged(columns, (), width)]

    assert printed(30, "name", "123", "456") == ["3: {0: 4, 1: 3, 2: 3}"]
    assert printed(14, "name", "123", "456") == ["2: {0: 4, 1: 3, 2: 3}"]
    assert printed(13, "name", "123", "456") == ["2: {0: 4, 1: 3}", "2: {0: 4, 2: 3}"]
    assert printed(24, "/a/path/of/one/long/word", "123") == ["2: {0: 19, 1: 3}"]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(st.text("ab1 ", max_size=40), min_size=2, max_size=5),
    st.lists(st.integers(0, 10**12).map("{:,}".format), min_size=1, max_size=12),
    st.integers(40, 200),
)
def test_numbers_of_any_table_stay_whole(texts: list[str], numbers: list[str], width: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        row = [*texts, *numbers]
        align = [LEFT] * len(texts) + [RIGHT] * len(numbers)
        print_table([f"c{place}" for place in range(len(row))], [row], align, screen := Screen())
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert set(numbers) <= set(screen.getvalue().split())


@pytest.mark.parametrize("width", [40, *WIDTHS])
def test_rows_of_epochs(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    figures = {"loss": 1.2345, "accuracy": 0.1234, "val_loss": 10.1234, "val_accuracy": 0.5678}

    def rows(watcher: PlainWatcher | TerminalWatcher) -> None:
        for number in (1, 2):
            watcher.epoch(Epoch(number, 200, figures, 0.1, 4000.0, 123_456.0, True))
        watcher.close()

    rows(PlainWatcher(piped := io.StringIO()))
    rows(TerminalWatcher(screen := Screen()))
    header, *shown = screen.getvalue().splitlines()
    wide = piped.getvalue().splitlines()
    assert len(shown) == 2
    assert all(len(line) <= width for line in (header, *shown))
    assert set(" ".join(shown).split()) <= set(" ".join(wide).split())
    assert header.split()[0] == "epoch"
    assert "val_acc" in header.split()
    assert "0.5678" in shown[0].split()
    assert wide[0].split() == ["epoch", "loss", "acc", "val_loss", "val_acc", "images/s", "time", "left"]
    assert (header.split() == wide[0].split()) == (width >= 100)


@pytest.mark.parametrize("width", [40, *WIDTHS])
def test_the_bar_never_cuts_a_number(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    watcher = TerminalWatcher(screen := Screen())
    for done in (1000, 1001):
        watcher.step(1, 120, done, 1234, {"loss": 1.2345, "accuracy": 0.1234})
    watcher._progress.refresh()
    watcher.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert "…" not in shown
    assert "epoch 1/120" in shown
    assert ("loss 1.2345  accuracy 0.1234" in shown) == (width >= 60)


def test_sentences_break_between_words_and_not_within_commands() -> None:
    text = "warning: the receptive field is 18x18: `cnnctl summary photos.yaml` shows it\n  hint: add " + "more " * 9
    lines = layout.wrapped(text, 40).split("\n")
    assert lines[:3] == ["warning: the receptive field is 18x18:", "`cnnctl summary photos.yaml` shows it", lines[2]]
    assert all(len(line) <= 40 for line in lines)
    assert all(line.startswith("  ") for line in lines[2:])
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    assert layout.wrapped(text, None) == text


def test_paths_and_lines_of_a_config_stay_whole() -> None:
    path = "/a" * 40
    assert layout.wrapped(f"no {path} there", 30) == f"no\n{path}\nthere"
    shown = f"    3 |   size: {'32 ' * 20}\n      |   ^"
    assert layout.wrapped(shown, 30) == shown


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert layout.width_of(io.StringIO()) is None
    assert layout.width_of(Screen()) == 80
    outer, inner = pty.openpty()
    with os.fdopen(inner, "w") as stream:
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 77, 0, 0))
        assert layout.width_of(stream) == 77
        monkeypatch.setenv("COLUMNS", "133")
        assert layout.width_of(stream) == 133
        monkeypatch.setenv("COLUMNS", "wide")
        assert layout.width_of(stream) == 77
    os.close(outer)


def test_text_on_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_text("conv2d  height: floor((32 - 3 + 0) / 1)", screen := Screen(), hang=8)
    assert screen.getvalue() == "conv2d  height:\n        floor((32 -\n        3 + 0) / 1)\n"

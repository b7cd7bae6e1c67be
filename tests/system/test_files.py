"""Whole files or none, and CSV that gives back what was written."""

import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.errors import MachineError
from cnnctl.system import files

ODD_NAMES = ["no", "on", "1e3", "007", "NA", "", "two\nlines", "\r", 'say "x"', "a,b", "🐱", " lead", "caf\udce9", "'"]


def by_replacing(path: Path, text: str) -> None:
    with files.replacing(path) as file:
        file.write(text)


WRITERS: list[Callable[[Path, str], None]] = [files.write_text, by_replacing]


@pytest.mark.parametrize("write", WRITERS)
class TestWholeFilesOrNone:
    def test_replaces(self, tmp_path: Path, write: Callable[[Path, str], None]) -> None:
        file = tmp_path / "a.txt"
        write(file, "old and longer")
        write(file, "new 🐱")
        assert file.read_text(encoding="utf-8") == "new 🐱"
        assert os.listdir(tmp_path) == ["a.txt"]

    def test_others_may_read_it(self, tmp_path: Path, write: Callable[[Path, str], None]) -> None:
        write(tmp_path / "a.txt", "x")
        assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644

    def test_a_full_disk_leaves_the_old_content(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, str], None]
    ) -> None:
        def full(handle: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        file = tmp_path / "a.txt"
        write(file, "old")
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(MachineError, match="cannot be written: No space left on device"):
            write(file, "new")
        assert file.read_text() == "old"
        assert os.listdir(tmp_path) == ["a.txt"]

    def test_an_interruption_leaves_the_old_content(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, str], None]
    ) -> None:
        def stop(*arguments: object, **options: object) -> None:
            raise KeyboardInterrupt

        file = tmp_path / "a.txt"
        write(file, "old")
        monkeypatch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            write(file, "new")
        assert file.read_text() == "old"
        assert os.listdir(tmp_path) == ["a.txt"]

    def test_no_folder_can_be_made(self, tmp_path: Path, write: Callable[[Path, str], None]) -> None:
        (tmp_path / "occupied").touch()
        with pytest.raises(MachineError, match="cannot be written"):
            write(tmp_path / "occupied" / "a.txt", "x")


def test_folders_are_made(tmp_path: Path) -> None:
    files.write_bytes(tmp_path / "a" / "b" / "c.bin", b"\0\xff")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"\0\xff"


def test_an_error_in_the_block_is_not_hidden(tmp_path: Path) -> None:
    def fill() -> None:
        with files.replacing(tmp_path / "a.txt") as file:
            file.write("half")
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        fill()
    assert os.listdir(tmp_path) == []


def test_json_is_text_that_people_read(tmp_path: Path) -> None:
    file = tmp_path / "classes.json"
    files.write_json(file, ["no", "🐱", "two\nlines"])
    assert file.read_text(encoding="utf-8") == '[\n  "no",\n  "🐱",\n  "two\\nlines"\n]\n'
    assert json.loads(file.read_text(encoding="utf-8")) == ["no", "🐱", "two\nlines"]
    with pytest.raises(ValueError):
        files.write_json(file, [float("nan")])
    assert json.loads(file.read_text(encoding="utf-8"))[0] == "no"


def test_odd_names_survive_a_csv(tmp_path: Path) -> None:
    """Also names that are no UTF-8, which stay the same bytes in the file."""
    rows = [(name, other) for name in ODD_NAMES for other in ODD_NAMES]
    files.write_csv(tmp_path / "a.csv", ("path", "label"), rows)
    found = list(files.read_rows((tmp_path / "a.csv").open("rb")))
    assert [(row["path"], row["label"]) for row in found] == rows
    assert b"caf\xe9" in (tmp_path / "a.csv").read_bytes()


@settings(deadline=None, derandomize=True)
@given(
    rows=st.lists(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0"))] * 2), max_size=6),
)
def test_any_text_survives_a_csv(rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("csv") / "a.csv"
    files.write_csv(file, ("a", "b"), rows)
    assert [tuple(row.values()) for row in files.read_rows(file.open("rb"))] == rows


@settings(deadline=None, derandomize=True)
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_written_to_the_last_digit(value: float) -> None:
    text = io.StringIO()
    files.write_rows(text, [(value,)])
    assert float(text.getvalue()) == value

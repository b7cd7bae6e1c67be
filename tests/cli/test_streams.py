"""Commands whose stdout is full, closed, without a reader or in an old encoding, and whose folder is gone."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CONFIGS

CONFIG = str(CONFIGS / "cifar10.yaml")


def shell(line: str, folder: Path, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    """A line of bash in which cnnctl is the real command."""
    line = line.replace("cnnctl", f"'{sys.executable}' -P -m cnnctl")
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("command", [f"summary {CONFIG}", "--help", "--version", "schema", "convolve --list-kernels"])
def test_a_full_disk_behind_stdout_is_exit_code_5(command: str, tmp_path: Path) -> None:
    done = shell(f"cnnctl {command} > /dev/full", tmp_path)
    assert done.returncode == 5
    assert done.stderr.startswith("error: stdout cannot be written: No space left on device\nhint: ")


@pytest.mark.parametrize("command", [f"summary {CONFIG}", "--help", "schema"])
def test_a_reader_may_leave(command: str, tmp_path: Path) -> None:
    done = shell(f"cnnctl {command} | true; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_closed_streams(tmp_path: Path) -> None:
    assert shell(f"cnnctl summary {CONFIG} >&-", tmp_path).returncode == 0
    assert shell("cnnctl summary gone.yaml <&- >&- 2>&-", tmp_path).returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_tables_are_drawn_in_ascii(encoding: str, tmp_path: Path) -> None:
    done = shell(f"cnnctl summary {CONFIG}", tmp_path, encoding)
    assert done.returncode == 0
    assert "\n------" in done.stdout
    assert done.stdout.isascii()


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = "mkdir gone && cd gone && rmdir ../gone && "
    assert shell(f"{gone}cnnctl summary {CONFIG}", tmp_path).returncode == 0
    assert shell(f"{gone}cnnctl runs", tmp_path).returncode == 0
    for command, code in (("summary", 4), ("check c.yaml", 2), ("init --example digits", 5), ("predict a.png", 4)):
        done = shell(f"{gone}cnnctl {command}", tmp_path)
        assert done.returncode == code, done
        assert done.stderr.endswith("hint: the current folder was deleted: go to another one with cd\n")


def test_names_do_not_reach_the_terminal_with_their_escape_sequences(tmp_path: Path) -> None:
    (tmp_path / "k.yaml").write_text(
        'data:\n  train: "x\\e[5m"\n  "ke\\e[31my\\rX": 1\n"\\e[2Jtop": 3\nmodel: [flatten]\n'
    )
    for words in (
        ["check", "k.yaml"],
        ["summary", "gone\x1b[2J.yaml"],
        ["init", "gone\x1b[2J"],
        ["summary", CONFIG, "--set", "name=\x1b[2J"],
        ["predict", "a.png", "--run", "gone\x1b[2J"],
        ["convolve", "\x1b[2J.png"],
        ["runs", "gone\x9b2J\r"],
        ["summary", "--\x1b[2J"],
        ["\x1b[2J"],
    ):
        seen = on_a_terminal(words, tmp_path)
        assert "\x1b[2J" not in seen, words
        assert "\x9b" not in seen, words
        assert "\x1b[31m" not in seen or words[0] != "check", words
        assert "Traceback" not in seen, seen


def on_a_terminal(words: list[str], folder: Path) -> str:
    """What a command prints on a terminal of its own."""
    screen, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnctl", *words], cwd=folder, stdin=inside, stdout=inside, stderr=inside
    )
    os.close(inside)
    seen = b""
    while block := _read(screen):
        seen += block
    process.wait()
    os.close(screen)
    return seen.decode()


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 65536)
    except OSError:  # nobody has the other end any more
        return b""

"""Commands whose stdout is full, closed, without a reader or in an old encoding, and whose folder is gone."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CONFIGS
from tests.inference.build import colour_run, paint

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


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A folder with a run that needed no training, and images of odd names."""
    colour_run(tmp_path / "run").config.write_text("data: {train: digits}\nmodel: [flatten]\n")
    for name in ("good.png", "two\nlines.png", "esc\x1b[2J.png"):
        paint(tmp_path / "pics" / name, 255, 0, 0)
    return tmp_path


def test_names_that_no_system_takes_get_their_row_beside_the_good_ones(colours: Path) -> None:
    uri = "data:image/png;base64," + "A" * 5000
    (colours / "list.csv").write_bytes(b"path\npics/good.png\n" + uri.encode() + b".png\npics/a\0.png\n")
    for given in (f"pics/good.png '{uri}'", "list.csv", "pics/good.png - < pics/good.png", "- < list.csv"):
        done = shell(f"cnnctl predict --run run --format csv {given}", colours)
        assert done.returncode == 8, done
        assert "pics/good.png,red," in done.stdout
        reason = "no file can have this name" if given == "list.csv" else "there is a NUL in this name; -0 takes"
        assert ("list.csv" not in given) or f"pics/a\\x00.png: {reason}" in done.stderr


def test_every_name_comes_through_find_print0(colours: Path) -> None:
    done = shell("find pics -type f -print0 | cnnctl predict -0 - --run run --format jsonl", colours)
    assert (done.returncode, done.stderr) == (0, "")
    found = {json.loads(line)["path"] for line in done.stdout.splitlines()}
    assert found == {"pics/good.png", "pics/two\nlines.png", "pics/esc\x1b[2J.png"}
    assert shell("cnnctl predict -0 pics --run run", colours).returncode == 2


def test_stdin_that_is_closed_is_an_error_in_the_command_line(colours: Path) -> None:
    done = shell("cnnctl predict - --run run <&-", colours)
    assert (done.returncode, done.stderr.split(",")[0]) == (2, "error: stdin is closed")


def test_answers_for_a_full_disk_or_a_gone_reader(colours: Path) -> None:
    for output in ("> /dev/full", "--output /dev/full"):
        assert shell(f"cnnctl predict pics/good.png --run run {output}", colours).returncode == 5
    for output in ("", "--output /dev/stdout"):
        done = shell(f"cnnctl predict pics --run run {output} | true; echo ${{PIPESTATUS[0]}}", colours)
        assert (done.stdout, done.stderr) == ("0\n", "")


def test_answers_go_where_the_user_says(colours: Path) -> None:
    line = "cnnctl predict pics/good.png --run run --format csv --output"
    expected = shell("cnnctl predict pics/good.png --run run --format csv", colours).stdout
    assert shell(f"echo old > a; {line} /dev/stdout >> a; cat a", colours).stdout == f"old\n{expected}"
    assert shell(f"mkfifo pipe; cat pipe & {line} pipe; wait; stat -c %F pipe", colours).stdout == f"{expected}fifo\n"
    umasks = f"for m in 077 002; do (umask $m; {line} $m.csv; stat -c %a $m.csv); done"
    assert shell(umasks, colours).stdout == "600\n664\n"
    linked = f"touch real; chmod 640 real; ln -s real link; {line} link; stat -c '%F %a' link real; cat real"
    assert shell(linked, colours).stdout == f"symbolic link 777\nregular file 640\n{expected}"


def test_letters_that_stdout_lacks_are_told(colours: Path) -> None:
    paint(colours / "pics" / "日.png", 0, 0, 255)
    done = shell("cnnctl predict pics/日.png --run run --format csv", colours, "latin-1")
    assert done.stdout.splitlines()[1].startswith("pics/\\u65e5.png,blue,")
    assert "warning: stdout is in iso8859-1" in done.stderr.replace("latin-1", "iso8859-1")
    assert shell("cnnctl predict pics/日.png --run run --format json", colours, "latin-1").stderr == ""

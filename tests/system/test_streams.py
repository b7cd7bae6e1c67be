"""stdin, stdout and stderr as they are found: closed, full, without a reader, in an old encoding."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl.errors import DiskError
from cnnctl.system.streams import FALLBACK, Errors, Output, ReaderGoneError, encodable

PROGRAM = """
import os, sys
from cnnctl.system.streams import exact_output, let_nothing_through, standard_streams
with standard_streams():
    {}
"""


def run(body: str, encoding: str = "utf-8", shell: str = '"$@"') -> subprocess.CompletedProcess[bytes]:
    command = ["sh", "-c", shell, "sh", sys.executable, "-c", PROGRAM.format(body)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.run(command, capture_output=True, check=False, env=environment)


def text_of(path: Path, encoding: str) -> io.TextIOWrapper:
    return path.open("w", encoding=encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_lines_are_drawn_in_ascii_where_the_encoding_lacks_them(encoding: str) -> None:
    assert run("print('\\u2500\\u2500 \\u65e5')", encoding).stdout == b"-- \\u65e5\n"


def test_letters_that_the_encoding_has_stay() -> None:
    assert run("print('caf\\xe9 \\u2026')", "cp1252").stdout == "café …\n".encode("cp1252")
    assert run("print('caf\\xe9 \\u2026')", "latin-1").stdout == "café ...\n".encode("latin-1")
    assert run("print('caf\\xe9 \\u2026')").stdout == "café …\n".encode()


def test_nothing_moves_the_cursor_and_colours_are_for_the_help() -> None:
    assert run("print('\\x1b[31mred\\x1b[2J\\r', end='')").stdout == b"\x1b[31mred\\x1b[2J\\r"
    done = run("let_nothing_through(); print('\\x1b[31mred\\ta\\n'); print('\\x9b1m', file=sys.stderr)")
    assert done.stdout == b"\\x1b[31mred\ta\n\n"
    assert done.stderr == b"\\x9b1m\n"


def test_data_for_a_program_stay_as_they_are() -> None:
    body = "let_nothing_through()\n    with exact_output() as out: out.write('a\\x1b[31m\\udce9\\r\\n')"
    assert run(body).stdout == b"a\x1b[31m\xe9\r\n"
    assert run(body, "ascii").stdout == b"a\x1b[31m\xe9\r\n"


def test_data_that_lost_letters_say_so() -> None:
    body = "with exact_output() as out: out.write('{}\\n')"
    done = run(body.format("caf\\xe9"), "ascii")
    assert done.stdout == b"caf\\xe9\n"
    assert b"warning: stdout is in ascii, which lacks some letters" in done.stderr
    assert run(body.format("caf\\xe9"), "latin-1").stderr == b""


def test_a_descriptor_that_is_closed_is_not_given_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    body = f"file = open({str(file)!r}, 'w'); print('lost', flush=True); print('too', file=sys.stderr, flush=True)"
    assert run(body, shell='"$@" <&- >&- 2>&-').returncode == 0
    assert file.read_text() == ""
    assert run("print(sys.stdin)", shell='"$@" <&-').stdout == b"None\n"


def test_a_full_disk_behind_stdout_is_an_error_of_ours() -> None:
    with Path("/dev/full").open("w") as full:
        stream = Output(full)
        stream.write("x")
        kept = os.dup(full.fileno())
        with pytest.raises(DiskError, match="stdout cannot be written: No space left on device"):
            stream.flush()
        os.close(kept)
        stream.flush()  # the end of the process has nothing to complain of


def test_a_full_disk_behind_stderr_is_nobodys_concern() -> None:
    with Path("/dev/full").open("w") as full:
        stream = Errors(full)
        stream.write("x")
        stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
        stream.detach()


def test_a_reader_who_is_gone_is_no_error_of_the_disk() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        stream = Output(pipe)
        stream.write("x")
        with pytest.raises(ReaderGoneError):
            stream.flush()
        stream.detach()


def test_widths_are_those_of_what_is_shown(tmp_path: Path) -> None:
    with text_of(tmp_path / "written", "ascii") as stream:
        assert encodable("é…", stream) == "\\xe9..."
    with text_of(tmp_path / "written", "utf-8") as stream:
        assert encodable("é…", stream) == "é…"
    assert encodable("é…", None) == "é…"
    assert encodable("é…", io.StringIO()) == "é…"


def test_any_text_goes_into_any_encoding() -> None:
    everything = "".join(map(chr, range(0x20, 0x3000))) + "\udce9🐱"
    for encoding in ("ascii", "latin-1", "cp1252", "shift_jis", "koi8-r"):
        everything.encode(encoding, FALLBACK)

"""Descriptor 2 inside and outside of captured_stderr, seen from another process."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
import os, subprocess, sys
from pathlib import Path
from cnnctl.system.stderr import captured_stderr
"""


def run(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HEAD + body, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_native_chatter_is_kept_and_people_are_talked_to() -> None:
    done = run(
        """
os.write(2, b"before\\n")
with captured_stderr() as capture:
    os.write(2, b"chatter\\n")
    print("python chatter", file=sys.stderr)
    subprocess.run([sys.executable, "-c", "import os; os.write(2, b'a child\\\\n')"])
    print("to people \\u2713", file=capture.terminal)
    print(capture.text(), end="")
    os.write(2, b"more\\n")
os.write(2, b"after\\n")
print("python after", file=sys.stderr)
"""
    )
    assert done.returncode == 0
    assert done.stderr == "before\nto people ✓\nafter\npython after\n"
    assert done.stdout == "chatter\npython chatter\na child\n"


def test_attach_moves_it_to_the_end_of_a_file(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("of an earlier start\n")
    done = run(
        """
with captured_stderr() as capture:
    os.write(2, b"first\\n")
    with open(sys.argv[1], 'ab') as log:
        capture.attach(log)
    os.write(2, b"second\\n")
    sys.stderr.write("third")
    print("to people", file=capture.terminal)
print("after", file=sys.stderr)
""",
        str(log),
    )
    assert done.returncode == 0
    assert done.stderr == "to people\nafter\n"
    assert log.read_text() == "of an earlier start\nfirst\nsecond\nthird"


@pytest.mark.parametrize("attach", [False, True])
def test_an_exception_gives_the_screen_back(tmp_path: Path, attach: bool) -> None:
    """The traceback of a bug is on the screen, whatever was captured."""
    done = run(
        f"""
with captured_stderr() as capture:
    if {attach}:
        with open(sys.argv[1], 'ab') as log:
            capture.attach(log)
    os.write(2, b"chatter\\n")
    raise RuntimeError("a bug")
""",
        str(tmp_path / "log.txt"),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("RuntimeError: a bug\n")
    assert "chatter" not in done.stderr


def test_no_descriptor_is_left_open() -> None:
    done = run(
        """
def count():
    return sum(1 for number in range(256) if is_open(number))
def is_open(number):
    try:
        os.fstat(number)
        return True
    except OSError:
        return False
first = count()
for _ in range(5):
    with captured_stderr() as capture:
        print("x", file=capture.terminal)
print(count() - first)
"""
    )
    assert done.stdout == "0\n"
    assert done.stderr == "x\n" * 5


def test_odd_names_do_not_break_the_screen() -> None:
    """A file name that is no UTF-8 is shown with its bytes escaped."""
    done = run(
        """
with captured_stderr() as capture:
    print("caf\\udce9.png", file=capture.terminal)
"""
    )
    assert done.stderr == "caf\\udce9.png\n"


def test_what_stands_for_the_screen_is_talked_to() -> None:
    """A notebook's stream, which is no file; and a program that has none."""
    done = run(
        """
import io
sys.stderr = io.StringIO()
with captured_stderr() as capture:
    os.write(2, b"chatter\\n")
    print("to people", file=capture.terminal)
os.write(2, b"after\\n")
said, sys.stderr = sys.stderr.getvalue(), None
with captured_stderr() as capture:
    os.write(2, b"chatter\\n")
    print(repr(said), file=capture.terminal)
os.close(2)
with captured_stderr() as capture:
    print("to nobody", file=capture.terminal)
print("done")
"""
    )
    assert (done.stdout, done.stderr) == ("done\n", "after\n'to people\\n'\n")

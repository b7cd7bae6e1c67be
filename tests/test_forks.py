"""Forks are as good as processes of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl.models.backend import import_keras
from tests.forks import Fork, Forks, begin, python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are forks on Linux alone")

PROGRAM = """\
import os, signal, sys, threading, atexit
atexit.register(print, "the end")
threading.Timer(0.1, print, ["late"]).start()
print(sys.argv, os.getcwd(), os.environ["COLUMNS"], sys.path[0], __name__, threading.current_thread().name)
print(sys.stdin.read(), sys.stdout.encoding, sys.stderr.line_buffering, sys.stdout.line_buffering, os.isatty(0))
handler = signal.getsignal(signal.SIGINT)
print(getattr(handler, "__name__", handler), signal.getsignal(signal.SIGCHLD), len(os.listdir("/proc/self/fd")))
print("ümläut\\r", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("words", [["-c", PROGRAM, "3"], ["program.py", "0"], ["-m", "program", "8", "x"]])
def test_a_fork_is_like_a_process_of_its_own(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "COLUMNS": "77"}
    forked, started = (python(words, tmp_path, environment, b"given", fresh) for fresh in (False, True))
    assert forked.returncode == started.returncode == int(words[1 + words[0].startswith("-")])
    assert (forked.stdout, forked.stderr) == (started.stdout, started.stderr)


def test_what_ends_badly(tmp_path: Path) -> None:
    killed = python(["-c", "import os; os.kill(os.getpid(), 9)"], tmp_path)
    assert killed.returncode == -signal.SIGKILL
    failed = python(["-c", "print(1); print(2 / 0)"], tmp_path)
    assert (failed.returncode, failed.stdout) == (1, b"1\n")
    assert failed.stderr.endswith(b"ZeroDivisionError: division by zero\n")
    refused = python(["-c", "import sys; sys.exit('no')"], tmp_path)
    assert (refused.returncode, refused.stderr) == (1, b"no\n")


def test_nothing_is_left_of_a_program_in_the_next(tmp_path: Path) -> None:
    before = "import os, sys; print(os.environ.get('LEFT'), sys.modules.get('left'), sys.path); "
    first = python(["-c", before + "os.environ['LEFT'] = '1'; sys.modules['left'] = os; sys.path.clear()"], tmp_path)
    assert python(["-c", before], tmp_path).stdout == first.stdout


@pytest.mark.parametrize("fresh", [False, True])
def test_programs_under_way(fresh: bool, tmp_path: Path) -> None:
    waiting = "import sys, time; print('begun', file=sys.stderr, flush=True); time.sleep(60)"
    first, second = (begin(["-c", waiting], tmp_path, fresh=fresh) for _ in range(2))
    assert isinstance(first, Fork) is not fresh
    assert first.pid != second.pid
    for one in (first, second):
        assert one.stderr is not None
        assert one.stderr.readline() == "begun\n"
        assert one.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        first.wait(timeout=0.01)
    first.send_signal(signal.SIGTERM)
    assert first.communicate() == ("", "")
    assert (first.returncode, first.poll()) == (-signal.SIGTERM, -signal.SIGTERM)

    assert python(["-c", "print('meanwhile')"], tmp_path).stdout == b"meanwhile\n"
    second.kill()
    assert second.wait() == second.returncode == -signal.SIGKILL
    second.communicate()

    third = begin(["-c", "print(1); import sys; print(2, file=sys.stderr); sys.exit(3)"], tmp_path, fresh=fresh)
    assert third.communicate(timeout=60) == ("1\n", "2\n")
    assert third.returncode == 3


def test_libraries_that_the_tests_import_are_no_reason_to_import_them_again() -> None:
    forks = Forks({name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"})
    import_keras()
    assert forks.can_run(os.environ)


@pytest.mark.parametrize("other", [{"KERAS_BACKEND": "jax"}, {"HOME": "/tmp"}, {"TF_ENABLE_ONEDNN_OPTS": "0"}])
def test_an_environment_that_changes_imports_gets_a_process_of_its_own(other: dict[str, str]) -> None:
    assert not Forks(os.environ).can_run({**os.environ, **other})

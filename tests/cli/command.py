"""The real command, as a fork of a process that has its imports, or in a process of its own."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests import forks
from tests.forks import Fork, python

NOISE = (
    "tensorflow/",
    "cuda_",
    "cudart",
    "cuinit",
    "onednn",
    "absl",
    "warning",
    "traceback",
    "i0000",
    "e0000",
    "keras.src",
    "libpng",
)


def cnnctl(
    *args: str | Path, cwd: Path, stdin: str | None = None, fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `python -m cnnctl ARGS` in the folder `cwd`; `fresh` is for what only a new interpreter does."""
    given = None if stdin is None else stdin.encode("utf-8", "surrogateescape")
    done = python(["-m", "cnnctl", *args], cwd, stdin=given, fresh=fresh)
    # decoded here, since text=True would turn carriage returns into line ends
    out, err = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def succeed(*args: str | Path, cwd: Path, stdin: str | None = None, fresh: bool = False) -> str:
    """Its stdout; it must end with exit code 0 and print nothing of what libraries say to themselves."""
    done = cnnctl(*args, cwd=cwd, stdin=stdin, fresh=fresh)
    assert done.returncode == 0, done.stderr
    assert_quiet(done)
    return done.stdout


def fail(code: int, *args: str | Path, cwd: Path, stdin: str | None = None, fresh: bool = False) -> str:
    """Its stderr; it must end with exit code `code`, without a traceback."""
    done = cnnctl(*args, cwd=cwd, stdin=stdin, fresh=fresh)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert_quiet(done)
    return done.stderr


def assert_quiet(done: subprocess.CompletedProcess[str]) -> None:
    """No line of TensorFlow, absl, OpenCV or libpng, and no traceback, on either stream."""
    for line in (done.stdout + done.stderr).lower().splitlines():
        said = line.removeprefix("warning: ")  # one of our own; Python's begin with a file and a line
        said = said.partition('"source": ')[0]  # a path, with the name of a test in it
        said = said.replace("googleapis.com/tensorflow/", "")  # where Keras publishes weights
        assert not any(noise in said for noise in NOISE), line


def begin(
    words: list[str],
    cwd: Path,
    until: str,
    env: Mapping[str, str] = os.environ,
    fresh: bool = False,
) -> "tuple[Fork | subprocess.Popen[str], list[str]]":
    """A command under way, once a line of its stderr contains `until`; that line and those before it."""
    process = forks.begin(["-m", "cnnctl", *words], cwd, env, fresh)
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if until in line:
            return process, lines
    process.wait()
    raise AssertionError("".join(lines))

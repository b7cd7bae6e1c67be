"""Python programs as forks of one process that has imported what they import, which is most of a command's time.

A fork has the streams, the folder, the environment and the exit code of a process of its own. Nothing but imports has
happened before it. No library that is imported starts threads but OpenBLAS, which ends its own before a fork;
onnxruntime keeps one, so it is left to the forks.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import FileIO, TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn, TextIO

ROOT = Path(__file__).parents[1]
LIBRARIES = (
    *("h5py", "jinja2", "matplotlib.backends.backend_agg", "matplotlib.figure", "onnx", "pandas", "platformdirs"),
    *("rich.console", "rich.table", "scipy.stats", "sklearn.metrics"),
)
OTHERS = ("cnnctl.__main__", "cnnctl.models.fused_", "cnnctl.serving")
"""Beginnings of the names of our modules that are left to the forks: none serves, and JAX has no TensorFlow."""
FREE = ("COLUMNS", "PYTEST_CURRENT_TEST")
"""Variables that no library reads while it is imported."""
SET = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL", "TF2_BEHAVIOR", "ENABLE_RUNTIME_UPTIME_TELEMETRY", "TPU_", "KMP_")
SET += ("OPENCV_", "LD_LIBRARY_PATH", "HDF5_PLUGIN_PATH", "_MLFLOW_", "WANDB_")
"""Beginnings of those that libraries set while they are imported, in the process of the tests as well."""


def fixed(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment by which libraries may be imported otherwise."""
    return {name: value for name, value in environment.items() if name not in FREE and not name.startswith(SET)}


class Forks:
    """The process that forks; it is started for the first program, and ended by `end`.

    Attributes:
        environment: Of the process, and of every program in it, but for FREE and SET.
        backend: Keras' backend in it.
    """

    def __init__(self, environment: Mapping[str, str], backend: str = "tensorflow") -> None:
        self.environment = fixed(environment)
        self.backend = backend
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def can_run(self, environment: Mapping[str, str]) -> bool:
        """Whether a process of its own with this environment would import the same."""
        backend = environment.get("KERAS_BACKEND", self.backend)
        return sys.platform == "linux" and backend == self.backend and fixed(environment) == self.environment

    def run(
        self, words: Sequence[str], cwd: Path, environment: Mapping[str, str], stdin: bytes | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        """The outcome of `python WORDS`; `-m` and a module, `-c` and code, or a script; then its arguments."""
        request = json.dumps({"words": list(words), "cwd": str(cwd), "environment": dict(environment)}).encode()
        asked, out, err, code = (os.pipe() for _ in range(4))
        given = (os.open(os.devnull, os.O_RDONLY), None) if stdin is None else os.pipe()
        theirs = [asked[0], given[0], out[1], err[1], code[1]]
        socket.send_fds(self._started(), [b"+"], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        with ThreadPoolExecutor() as pool:
            pool.submit(_write, asked[1], request)
            if given[1] is not None:
                pool.submit(_write, given[1], stdin)
            said = [pool.submit(_read, pipe[0]) for pipe in (code, out, err)]
            ended, stdout, stderr = (one.result() for one in said)
        return subprocess.CompletedProcess(list(words), int(ended), stdout, stderr)

    def end(self) -> None:
        """End the process."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait()

    def _started(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with theirs:
                words = [sys.executable, "-m", "tests.forks", str(theirs.fileno()), self.backend]
                self._process = subprocess.Popen(
                    words,
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
        return self._control


_all: list[Forks] = []


@contextmanager
def forking(environment: Mapping[str, str] = os.environ, backend: str = "tensorflow") -> Iterator[None]:
    """A block in which programs that would have this environment may be forks."""
    forks = Forks(environment, backend)
    _all.append(forks)
    try:
        yield
    finally:
        _all.remove(forks)
        forks.end()


def python(
    words: Sequence[str | Path],
    cwd: Path,
    environment: Mapping[str, str] = os.environ,
    stdin: bytes | None = None,
    fresh: bool = False,
) -> "subprocess.CompletedProcess[bytes]":
    """Run `python WORDS`: as a fork where there can be one, and `fresh` is for what only a new interpreter does."""
    given = [str(word) for word in words]
    forks = next((one for one in _all if not fresh and one.can_run(environment)), None)
    if forks is not None:
        return forks.run(given, cwd, environment, stdin)
    command = [sys.executable, *given]
    return subprocess.run(command, cwd=cwd, env=environment, input=stdin, capture_output=True, check=False)


def _write(descriptor: int, content: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def main(descriptor: int, backend: str) -> None:
    """Import, then fork for each request; the rest is what a new interpreter would do."""
    prepare(backend)
    words = become(next_request(socket.socket(fileno=descriptor)))
    code: object = None
    try:
        if words[0] == "-c":
            sys.argv[:] = ["-c", *words[2:]]
            exec(words[1], vars(sys.modules["__main__"]))
        elif words[0] == "-m":
            sys.argv[1:] = words[2:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv[:] = words
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    end(code)


def prepare(backend: str) -> None:
    """Import as commands do, and leave what was imported as it is at first."""
    import cnnctl
    from cnnctl.data.decoder.images import opencv
    from cnnctl.system.home import lend_folders

    os.environ.update(KERAS_BACKEND=backend, TF_CPP_MIN_LOG_LEVEL="2")
    lend_folders()
    with warnings.catch_warnings(), silent():
        warnings.simplefilter("ignore")
        opencv()
        for name in (backend, "keras", *LIBRARIES):
            importlib.import_module(name)
        for module in pkgutil.walk_packages(cnnctl.__path__, "cnnctl."):
            if not module.name.startswith(OTHERS):
                importlib.import_module(module.name)
    opencv.cache_clear()
    gc.collect()
    gc.freeze()  # so that a fork's own collections leave the common memory alone


@contextmanager
def silent() -> Iterator[None]:
    """A block in which what libraries write to descriptor 2 is not seen."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def next_request(control: socket.socket) -> list[int]:
    """The descriptors of a request, in a process that was forked for it; the first one waits for the others' end."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 5)
        if not message:
            os._exit(0)
        *kept, code = descriptors
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # JAX and newer Pythons warn of threads, which are not there any more
            process = os.fork()
        if process == 0:
            control.close()
            os.close(code)
            return kept
        for descriptor in kept:
            os.close(descriptor)
        _, status = os.waitpid(process, 0)
        _write(code, str(os.waitstatus_to_exitcode(status)).encode())


def become(descriptors: list[int]) -> list[str]:
    """Take the streams, the folder and the environment of a request; its words."""
    asked, *streams = descriptors
    request: dict[str, Any] = json.loads(_read(asked))
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        os.dup2(streams[number], number)
        os.close(streams[number])
        setattr(sys, name, opened(number, mode, getattr(sys, name)))
        setattr(sys, f"__{name}__", getattr(sys, name))
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    words: list[str] = request["words"]
    folders = {"-c": "", "-m": request["cwd"]}
    sys.path[0] = folders.get(words[0], str(Path(words[0]).resolve().parent))
    return words


def opened(number: int, mode: str, like: TextIO) -> TextIO:
    """A standard stream as Python opened it when it began; none of them is a terminal."""
    assert isinstance(like, TextIOWrapper)
    buffering = 0 if isinstance(like.buffer, FileIO) else -1
    raw = open(number, f"{mode}b", buffering, closefd=False)  # noqa: SIM115 - it stays open
    settings = {"line_buffering": like.line_buffering, "write_through": like.write_through}
    return TextIOWrapper(raw, like.encoding, like.errors, "\n", **settings)


def end(code: object) -> NoReturn:
    """End as an interpreter does, but for the freeing of all that was imported."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else code is not None)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])

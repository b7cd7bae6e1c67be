"""Python programs as forks of one process that has imported what they import, which is most of a command's time.

A fork has the streams, the folder, the environment and the exit code of a process of its own. Nothing but imports has
happened before it. No library that is imported starts threads but OpenBLAS, which ends its own before a fork;
onnxruntime keeps one, so it is left to the forks.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
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
SET += ("OPENCV_", "LD_LIBRARY_PATH", "HDF5_PLUGIN_PATH", "MLFLOW_", "_MLFLOW_", "WANDB_")
"""Beginnings of those that libraries set while they are imported, in the process of the tests as well; and of those
that only libraries read which every fork imports by itself."""


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
        begun = self.begin(words, cwd, environment, stdin)
        with ThreadPoolExecutor() as pool:
            said = [pool.submit(_read, pipe) for pipe in (begun.out, begun.err)]
            stdout, stderr = (one.result() for one in said)
        return subprocess.CompletedProcess(begun.args, begun.wait(), stdout, stderr)

    def begin(
        self, words: Sequence[str], cwd: Path, environment: Mapping[str, str], stdin: bytes | None = None
    ) -> "Fork":
        """`python WORDS` under way."""
        request = json.dumps({"words": list(words), "cwd": str(cwd), "environment": dict(environment)}).encode()
        asked, out, err, code = (os.pipe() for _ in range(4))
        given = (os.open(os.devnull, os.O_RDONLY), None) if stdin is None else os.pipe()
        theirs = [asked[0], given[0], out[1], err[1], code[1]]
        socket.send_fds(self._started(), [b"+"], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        threading.Thread(target=_write, args=(asked[1], request)).start()
        if given[1] is not None:
            threading.Thread(target=_write, args=(given[1], stdin)).start()
        return Fork(list(words), out[0], err[0], code[0])

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


class Fork:
    """A program under way, as far as `subprocess.Popen` is needed of it.

    Attributes:
        args: Its words.
        pid: Of the process.
        out, err: What it writes to its streams comes out of these descriptors.
        returncode: As that of a Popen; None until `wait` or `poll` has seen its end.
    """

    def __init__(self, args: list[str], out: int, err: int, code: int) -> None:
        self.args, self.out, self.err = args, out, err
        self.returncode: int | None = None
        self._ended = os.fdopen(code, "r")
        self.pid = int(self._ended.readline())

    @functools.cached_property
    def stdout(self) -> TextIO:
        return os.fdopen(self.out, encoding="utf-8")

    @functools.cached_property
    def stderr(self) -> TextIO:
        return os.fdopen(self.err, encoding="utf-8")

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(timeout=0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(self._ended.readline())
            self._ended.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        with ThreadPoolExecutor() as pool:
            said = [pool.submit(_read_on, stream) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            out, err = (one.result() for one in said)
        return out, err

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


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
    forks = None if fresh else _that_can_run(environment)
    if forks is not None:
        return forks.run(given, cwd, environment, stdin)
    command = [sys.executable, *given]
    return subprocess.run(command, cwd=cwd, env=environment, input=stdin, capture_output=True, check=False)


def begin(
    words: Sequence[str | Path], cwd: Path, environment: Mapping[str, str] = os.environ, fresh: bool = False
) -> "Fork | subprocess.Popen[str]":
    """`python WORDS` under way, in the same way."""
    given = [str(word) for word in words]
    forks = None if fresh else _that_can_run(environment)
    if forks is not None:
        return forks.begin(given, cwd, environment)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *given], cwd=cwd, env=environment, text=True, **streams)


def _that_can_run(environment: Mapping[str, str]) -> Forks | None:
    return next((one for one in _all if one.can_run(environment)), None)


def _read_on(stream: TextIO) -> str:
    """What is still to be read; nothing of a stream that the test has closed."""
    if stream.closed:
        return ""
    with stream:
        return stream.read()


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
    """The descriptors of a request, in a process that was forked for it.

    Between it and the first process is one that waits for its end: several may be under way.
    """
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 5)
        if not message:
            os._exit(0)
        *kept, code = descriptors
        if forked() == 0:
            control.close()
            process = forked()
            if process == 0:
                os.close(code)
                return kept
            for descriptor in kept:
                os.close(descriptor)
            with suppress(BrokenPipeError):
                os.write(code, f"{process}\n".encode())
                _, status = os.waitpid(process, 0)
                os.write(code, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def forked() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX and newer Pythons warn of threads, which are not there any more
        return os.fork()


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

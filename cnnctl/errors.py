"""The one exception family: what went wrong, how to mend it, and the exit code it ends with.

Message grammar: `message` says what was expected or what failed, naming the file, line or image; `hint` is the
mend, in a sentence of its own. Anything that is not a `CnnctlError` is our own bug and keeps its traceback.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

EXIT_OK = 0
EXIT_BUG = 1
EXIT_CONFIG = 2
EXIT_DATA = 3
EXIT_RUN = 4
EXIT_ENVIRONMENT = 5
EXIT_DIVERGED = 6
EXIT_BUSY = 7
EXIT_SOME_INPUTS_FAILED = 8
EXIT_INTERRUPTED = 130

LIGHT = "cnnctl-light"
"""The distribution of packaging/light: the same package, without what trains."""


class CnnctlError(Exception):
    """A mistake or a failure that the user can understand and mend.

    `message` says in one sentence what was expected, or what failed and where; `hint` in one more what to do about it.
    """

    exit_code: ClassVar[int] = EXIT_BUG

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"error: {self.message}" + (f"\nhint: {self.hint}" if self.hint else "")


class UsageError(CnnctlError):
    """The command line asks for something that does not exist or contradicts itself."""

    exit_code = EXIT_CONFIG


class DataError(CnnctlError):
    """The images, class folders or CSV files are missing, unreadable or unfit."""

    exit_code = EXIT_DATA


class RunError(CnnctlError):
    """A run directory or a model in it is missing, incomplete or unfit."""

    exit_code = EXIT_RUN


class DivergedError(CnnctlError):
    """The loss of a training became NaN or infinite."""

    exit_code = EXIT_DIVERGED


class InterruptedTrainingError(CnnctlError):
    """A signal during training; the message says what was kept."""

    exit_code = EXIT_INTERRUPTED

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code  # type: ignore[misc]


class BusyError(CnnctlError):
    """Another process works on the same run."""

    exit_code = EXIT_BUSY


class MachineError(CnnctlError):
    """The machine lacks something: a device, a package, disk space, a permission."""

    exit_code = EXIT_ENVIRONMENT


class DiskError(MachineError):
    """A file cannot be written: the disk is full, or the folder may not be written into."""


def how_to_install(extra: str | None = None) -> str:
    """The command for a hint, where packages of an extra of pyproject.toml (`jax`, `serve`, ...) are missing.

    Without an extra, those are missing that cnnctl itself needs and cnnctl-light leaves out.
    """
    wanted, begin = "." if extra is None else f"'.[{extra}]'", ""
    extras = extras_of_light()
    if extras is not None and extra in extras:
        wanted = f"'./packaging/light[{extra}]'"
    elif extras is not None:  # both hold the same files: the one goes before the other comes
        begin = f"pip uninstall {LIGHT}, then "
    return f"{begin}pip install {wanted} from a checkout of cnnctl"


def extras_of_light() -> tuple[str, ...] | None:
    """The extras of cnnctl-light, where that is what is installed; None where it is the whole of cnnctl."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        light = distribution(LIGHT)
    except PackageNotFoundError:
        return None
    try:
        distribution("cnnctl")
    except PackageNotFoundError:
        return tuple(light.metadata.get_all("Provides-Extra") or ())
    return None


@dataclass(frozen=True)
class Position:
    """A place in a text: `origin` is the file as the user named it; `line` and `column` count from 1."""

    origin: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One mistake in a config (or one data problem that belongs to a line of it).

    Attributes:
        message: What was expected or what is impossible.
        path: The dotted path of the value, such as `model[3].max_pooling2d.pool_size`; empty for the whole file.
        position: Where it stands; None when it stands nowhere (a fault of the data alone).
        received: What was found instead.
        hint: The mend.
        exit_code: EXIT_CONFIG, or EXIT_DATA for what only the data can tell.
        pairs: The files of a fault that is between two of them each; no more than a program can use.
    """

    message: str
    path: str = ""
    position: Position | None = None
    received: str | None = None
    hint: str | None = None
    exit_code: int = EXIT_CONFIG
    pairs: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        head = f"{self.path}: {self.message}" if self.path else self.message
        lines = [f"error: {head}"]
        if self.position is not None:
            number, text = f"{self.position.line:>5}", self.position.text
            indent = re.sub(r"[^\t]", " ", text[: self.position.column - 1])  # tabs stay, so that the caret is in place
            lines = [f"{self.position}: {head}", f"{number} | {text}", f"{' ' * len(number)} | {indent}^"]

        found = {"received": self.received, "hint": self.hint}
        return "\n".join([*lines, *(f"{word}: {text}" for word, text in found.items() if text is not None)])


@dataclass(frozen=True)
class Notice:
    """A warning: a sentence, its mend, where it stands, and its pairs of files. Nothing is refused because of it."""

    message: str
    hint: str
    position: Position | None = None
    path: str = ""
    pairs: tuple[tuple[str, str], ...] = ()


class ConfigError(CnnctlError):
    """One or more problems of a config, all of them at once.

    The exit code is 2 when any problem is one of the config, else 3: what the data alone got wrong.
    """

    exit_code = EXIT_CONFIG

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
        if all(problem.exit_code == EXIT_DATA for problem in problems):
            self.exit_code = EXIT_DATA  # type: ignore[misc]

    def __str__(self) -> str:
        return self.message

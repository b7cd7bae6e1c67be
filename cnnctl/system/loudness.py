"""How much a command says beside its result: with --quiet nothing, with --verbose also what it decides, and when."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from cnnctl.formatting import visible

QUIET, USUAL, VERBOSE = -1, 0, 1

_level = USUAL
_begun = _last_lap = time.monotonic()
_tells: list[Callable[[str], None]] = []


def loudness() -> int:
    """How much is said: QUIET, USUAL or VERBOSE."""
    return _level


def is_quiet() -> bool:
    """Whether only the result and errors are wanted."""
    return _level == QUIET


def is_verbose() -> bool:
    """Whether details are wanted too."""
    return _level == VERBOSE


def set_loudness(level: int) -> int:
    """Say so much from now on; the level before."""
    global _level
    before, _level = _level, level
    return before


def detail(text: str) -> None:
    """With --verbose a line on stderr: what was decided, or where something was found, and the seconds until then."""
    if not is_verbose():
        return
    line = f"[{time.monotonic() - _begun:6.2f} s] {visible(text)}"
    if _tells:
        _tells[-1](line)
    else:
        print(line, file=sys.stderr, flush=True)


def lap(work: str) -> None:
    """With --verbose how long some work took, which began when the work before it was done."""
    global _last_lap
    now = time.monotonic()
    detail(f"{work} took {now - _last_lap:.2f} s")
    _last_lap = now


@contextmanager
def details_to(tell: Callable[[str], None]) -> Iterator[None]:
    """A block in which details go elsewhere, as where stderr is captured, or a bar stands at the foot of the screen."""
    _tells.append(tell)
    try:
        yield
    finally:
        _tells.remove(tell)


def details_into(stream: TextIO) -> Callable[[str], None]:
    """What writes details into a stream, for `details_to`."""
    return lambda line: print(line, file=stream, flush=True)

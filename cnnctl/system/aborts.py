"""A library that aborts the process: it ends with a message and an exit code, without a dump of the stack."""

import ctypes
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def aborting_with(leave: Callable[[], None]) -> Iterator[None]:
    """A block in which SIGABRT, which a library sends to itself, calls `leave`; that ends the process.

    Python runs no handler of its own then: a library that aborts never comes back to Python. So the handler is C's, and
    Python is called from it, in the thread that aborts.
    """
    libc = ctypes.CDLL(None)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int)
    libc.signal.restype = ctypes.c_void_p
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    handler = kind(lambda number: leave())
    before = libc.signal(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p))
    try:
        yield
    finally:
        libc.signal(signal.SIGABRT, before)

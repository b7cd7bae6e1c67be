"""What the C library does with memory that was freed."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE = 2**30


def keep_freed_memory() -> None:
    """Have glibc keep what was freed for the next that asks, until this process ends; other C libraries do as they do.

    By default it takes each large block from the system and gives it back: a network on a CPU, which needs blocks of
    tens of megabytes for each layer and each step, then has the system zero the same memory over and over.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    set_option(_M_TRIM_THRESHOLD, 2**31 - 1)
    set_option(_M_MMAP_THRESHOLD, _LARGE)

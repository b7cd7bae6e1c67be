"""A process that a library aborts ends with a message and an exit code."""

import subprocess
import sys

ABORTING = """\
import ctypes, os, threading
from cnnctl.system.aborts import aborting_with

def leave():
    os.write(2, b"gone")
    os._exit(5)

with aborting_with(leave):
    if {inside}:
        aborting = threading.Thread(target=ctypes.CDLL(None).abort)
        aborting.start()
        aborting.join()
os.abort()
"""


def ended(inside: bool) -> tuple[int, bytes]:
    done = subprocess.run([sys.executable, "-c", ABORTING.format(inside=inside)], capture_output=True, check=False)
    return done.returncode, done.stderr


def test_an_abort_in_any_thread() -> None:
    assert ended(inside=True) == (5, b"gone")


def test_afterwards_aborts_are_as_before() -> None:
    assert ended(inside=False) == (-6, b"")

"""Ctrl-C and SIGTERM, as a process hears them."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cnnctl.system.interrupts import Interrupt, Interrupts, caught

DEAF = """\
import hashlib, sys
from cnnctl.system import interrupts
interrupts.PATIENCE = 0.3
with interrupts.caught(sys.stderr, lambda text: print(text, flush=True)) as signals:
    with signals.deferred(), signals.leaving_with("come back by: cnnctl train"):
        print("ready", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # native code, for minutes
"""
"""A process whose main thread runs no Python for a long time."""


@contextmanager
def deaf() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_second_ctrl_c_leaves_at_once() -> None:
    with deaf() as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGINT)
        said = process.stdout.readline()
        assert said == "interrupted: stopping after this step; press Ctrl-C again to exit at once\n"
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (130, "", "\ncome back by: cnnctl train\n")


def test_sigterm_leaves_when_its_time_is_up() -> None:
    with deaf() as process:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (143, "\ncome back by: cnnctl train\n")
        assert out == "terminated: stopping after this step\n"


def test_a_signal_waits_for_the_next_check() -> None:
    told: list[str] = []
    with caught(sys.__stderr__ or sys.stderr, told.append) as interrupts:
        with pytest.raises(Interrupt) as stopped:
            heard_and_checked(interrupts)
        assert reached == ["still there"]
        assert stopped.value.exit_code == 143
    assert told == ["terminated: stopping after this step"]
    assert not [thread for thread in threading.enumerate() if thread.name == "signals"]


reached: list[str] = []


def heard_and_checked(interrupts: Interrupts) -> None:
    with interrupts.deferred():
        signal.raise_signal(signal.SIGTERM)
        reached.append("still there")
        interrupts.check()


def test_outside_of_a_fit_a_signal_is_an_interrupt_at_once() -> None:
    with caught(sys.__stderr__ or sys.stderr, lambda text: None), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_the_handlers_before_are_restored() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with caught(sys.__stderr__ or sys.stderr, lambda text: None):
        assert signal.getsignal(signal.SIGTERM) is not before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_nothing_asked_nothing_raised(tmp_path: Path) -> None:
    interrupts = Interrupts()
    with interrupts.deferred():
        interrupts.check()

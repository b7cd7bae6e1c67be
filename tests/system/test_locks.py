"""Locks: one holder at a time, freed by its death, inherited by nobody."""

import fcntl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cnnctl.system.locks import is_held, locked, try_lock


def never() -> None:
    raise AssertionError("waited")


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = try_lock(path)
    assert first is not None
    assert try_lock(path) is None
    first.release()
    second = try_lock(path)
    assert second is not None
    second.release(remove=True)
    assert not path.exists()


def test_a_waiter_gets_it_and_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = try_lock(path)
    assert first is not None
    waits: list[float] = []

    def waiting() -> None:
        waits.append(1)
        threading.Timer(0.3, first.release, [True]).start()

    with locked(path, waiting):
        assert try_lock(path) is None
    assert len(waits) == 1
    assert not path.exists()
    with locked(path, never):
        pass


def test_an_exception_lets_go(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "lock", never):
        raise RuntimeError
    with locked(tmp_path / "lock", never):
        pass


def test_death_frees_it_and_children_do_not_keep_it(tmp_path: Path) -> None:
    """The holder starts a process that outlives it."""
    path = tmp_path / "lock"
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'])"
    code = (
        "import subprocess, sys, time; from pathlib import Path; from cnnctl.system.locks import try_lock\n"
        f"lock = try_lock(Path(sys.argv[1])); child = {child}; print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        try:
            assert try_lock(path) is None
            holder.kill()
            holder.wait()
            lock = try_lock(path)
            assert lock is not None
            lock.release()
        finally:
            subprocess.run(["kill", str(pid)], check=False)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        try_lock(tmp_path / "none" / "lock")


def test_a_file_that_is_no_longer_ours_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = try_lock(path)
    path.unlink()
    second = try_lock(path)
    assert first is not None
    assert second is not None
    first.release(remove=True)
    first.release(remove=True)
    assert path.exists()
    assert try_lock(path) is None
    second.release(remove=True)
    assert not path.exists()


def test_asking_whether_it_is_held_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    assert not path.exists()
    lock = try_lock(path)
    assert lock is not None
    assert is_held(path)
    assert is_held(path)
    lock.release()
    assert not is_held(path)  # the file alone is nobody
    assert path.exists()
    again = try_lock(path)
    assert again is not None
    again.release(remove=True)
    assert not is_held(tmp_path)
    assert not is_held(tmp_path / "none" / "lock")


def test_two_who_ask_are_no_holders(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert not is_held(path)

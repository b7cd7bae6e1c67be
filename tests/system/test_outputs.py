"""Files that a person named: what they are stays what it is."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnctl.errors import DiskError
from cnnctl.system import files
from cnnctl.system.outputs import output_bytes, output_text, write_output
from cnnctl.system.stderr import captured_stderr
from cnnctl.system.streams import ReaderGoneError


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_new_files_obey_the_umask(tmp_path: Path, umask: int) -> None:
    write_output(tmp_path / "written", "x")
    files.write_text(tmp_path / "of_a_run", "x")
    (tmp_path / "of_the_shell").touch()
    assert (
        mode(tmp_path / "written") == mode(tmp_path / "of_a_run") == mode(tmp_path / "of_the_shell") == 0o666 & ~umask
    )


@pytest.mark.parametrize("before", [0o600, 0o664, 0o755, 0o640])
def test_a_file_keeps_its_mode(tmp_path: Path, umask: int, before: int) -> None:
    for write in (write_output, files.write_text):
        file = tmp_path / "written"
        file.touch()
        file.chmod(before)
        write(file, "x")
        assert (mode(file), file.read_text()) == (before, "x")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "written"
    file.touch()
    os.chown(file, 1234, 2345)
    write_output(file, "x")
    assert (file.stat().st_uid, file.stat().st_gid, file.read_text()) == (1234, 2345, "x")


def test_nobody_else_reads_a_private_file_while_it_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "written"
    file.touch(0o600)
    with output_bytes(file):
        assert {mode(path) for path in tmp_path.iterdir()} == {0o600}


def test_links_are_written_through(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    target, link, second = tmp_path / "deep" / "target", tmp_path / "link", tmp_path / "second"
    target.write_text("old")
    link.symlink_to("deep/target")
    second.symlink_to(link)
    write_output(second, "new")
    assert (link.is_symlink(), second.is_symlink(), target.read_text()) == (True, True, "new")
    target.unlink()
    write_output(second, "made")
    assert (second.is_symlink(), target.read_text()) == (True, "made")
    assert sorted(os.listdir(tmp_path)) == ["deep", "link", "second"]
    assert os.listdir(tmp_path / "deep") == ["target"]


def test_a_run_s_own_files_follow_no_link(tmp_path: Path) -> None:
    """A run may be somebody else's, and its links lead anywhere."""
    (tmp_path / "precious").write_text("old")
    (tmp_path / "metrics.json").symlink_to("precious")
    files.write_text(tmp_path / "metrics.json", "new")
    assert ((tmp_path / "precious").read_text(), (tmp_path / "metrics.json").is_symlink()) == ("old", False)


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DiskError, match="cannot be written: Too many levels of symbolic links"):
        write_output(tmp_path / "loop", "x")


def test_pipes_are_written_into(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    with output_text(pipe) as stream:
        stream.write("through")
    reader.join()
    assert (got, pipe.is_fifo()) == (["through"], True)


def test_devices_stay_devices() -> None:
    before = os.stat("/dev/null")
    write_output(Path("/dev/null"), b"gone")
    after = os.stat("/dev/null")
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    with pytest.raises(DiskError, match="/dev/full cannot be written: No space left on device"):
        write_output(Path("/dev/full"), b"x")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="Is a directory"):
        write_output(tmp_path, "x")


@pytest.mark.parametrize("name", ["missing/..", "a/b/..", ".."])
def test_a_folder_that_is_not_there_is_no_file_either(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DiskError) as raised:
        write_output(Path(name), b"x")
    assert raised.value.hint == "it is a folder: name a file in it"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a\0b", "a\0/1", "/dev/fd\0/1"])
def test_a_nul_in_a_name_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DiskError, match="there is a NUL in its name"):
        write_output(Path(name), b"x")


def test_dev_stdout_goes_on_where_stdout_is(tmp_path: Path) -> None:
    """A shell's >> has text there already, which opening the file anew would overwrite."""
    file = tmp_path / "written"
    file.write_text("old\n")
    kept = os.dup(1)
    with file.open("a") as end:
        os.dup2(end.fileno(), 1)
    try:
        write_output(Path("/dev/stdout"), "one\n")
        write_output(Path("/dev/fd/1"), "two\n")
        write_output(Path("/proc/self/fd/1"), "three\n")
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert file.read_text() == "old\none\ntwo\nthree\n"


def test_dev_stderr_is_the_screen_also_while_it_is_captured(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_stderr():
        write_output(Path("/dev/stderr"), "seen\n")
    assert capfd.readouterr().err == "seen\n"


def test_a_reader_of_stdout_who_is_gone_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(ReaderGoneError):
        write_output(Path(f"/dev/fd/{writing}"), "x" * 100_000)
    os.close(writing)


def test_a_long_name_leaves_room_for_the_file_beside_it(tmp_path: Path) -> None:
    for name in ("a" * 255, "é" * 127):
        write_output(tmp_path / name, "x")
        assert (tmp_path / name).read_text() == "x"


def test_a_file_that_a_container_has_mounted_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*arguments: object, **options: object) -> None:
        raise OSError(16, "Device or resource busy")

    file = tmp_path / "written"
    file.write_text("old and longer")
    monkeypatch.setattr(os, "replace", busy)
    write_output(file, "new")
    assert (file.read_text(), os.listdir(tmp_path)) == ("new", ["written"])

"""Pipes, sockets and devices are named and never waited for."""

import os
import socket
from pathlib import Path

import pytest

from cnnctl.system.regular_files import NotRegularError, open_regular


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def make_link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_suffix(".pipe"))
    path.symlink_to(path.with_suffix(".pipe"))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (make_pipe, "a named pipe, not a regular file"),
        (make_socket, "a socket, not a regular file"),
        (make_link_to_a_device, "a device, not a regular file"),
        (make_link_to_a_pipe, "a named pipe, not a regular file"),
        (Path.mkdir, "a folder"),
    ],
)
def test_what_is_no_regular_file_is_named(make, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    make(Path("x.jpg"))
    with pytest.raises(NotRegularError) as caught:
        open_regular("x.jpg")
    assert str(caught.value) == what


def test_a_regular_file_and_a_link_to_one(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"123")
    (tmp_path / "link.jpg").symlink_to("x.jpg")
    for name in ("x.jpg", "link.jpg"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"123"
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "gone.jpg")


def test_a_pipe_of_the_shell_is_read():
    reader, writer = os.pipe()
    os.write(writer, b"123")
    os.close(writer)
    try:
        with open_regular(f"/dev/fd/{reader}") as file:
            assert file.read() == b"123"
    finally:
        os.close(reader)

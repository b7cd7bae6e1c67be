"""`cnnctl serve` in a process of its own, and a client that can misbehave."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnctl.data.decoder.images import opencv

READY = re.compile(r"serving (.*) at (http://\S+:(\d+))  \(Ctrl-C ends it\)\n")


@dataclass(frozen=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A server under way."""

    process: "subprocess.Popen[str]"
    url: str
    port: int

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=150)
        try:
            connection.request(method, path, body, headers or {})
            return reply(connection.getresponse())
        finally:
            connection.close()

    def send(self, *files: tuple[str, bytes], path: str = "/v1/predict", **headers: str) -> Reply:
        """Files as multipart/form-data."""
        kind, body = multipart(*files)
        return self.ask("POST", path, body, {"Content-Type": kind, **headers})

    def raw(self, content: Any, path: str = "/v1/predict", kind: str = "application/octet-stream") -> Reply:
        """A body that is one image."""
        return self.ask("POST", path, content, {"Content-Type": kind})

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=150)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


def reply(response: http.client.HTTPResponse) -> Reply:
    body = response.read()
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def multipart(*files: tuple[str, bytes]) -> tuple[str, bytes]:
    """(content type, body)."""
    boundary = uuid.uuid4().hex
    parts = []
    for name, content in files:
        named = f'; filename="{name}"' if name else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"{named}\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return f"multipart/form-data; boundary={boundary}", b"".join(parts) + f"--{boundary}--\r\n".encode()


@contextmanager
def serving(run: Path, *options: str, open_files: int | None = None) -> Iterator[Served]:
    """`cnnctl serve RUN` on a free port; killed at the end of the block if it still runs.

    `open_files` is its `ulimit -n`.
    """
    command = [sys.executable, "-m", "cnnctl", "serve", str(run), "--port", "0", *options]
    if open_files is not None:
        command = ["sh", "-c", f'ulimit -n {open_files}; exec "$@"', "sh", *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            ready = READY.fullmatch(line)
            if ready is None:
                process.kill()
                raise AssertionError((line, process.communicate()))
            yield Served(process, ready[2], int(ready[3]))
        finally:
            process.kill()


def children(process: "subprocess.Popen[str]", of: str) -> list[int]:
    """The processes that a server has started, whose command names a module."""
    pids: list[int] = []
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        pids += [int(pid) for pid in (task / "children").read_text().split()]
    return [pid for pid in pids if of.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]


def plain(red: int, green: int, blue: int, side: int = 8, kind: str = ".png") -> bytes:
    """An image file of one colour."""
    return bytes(opencv().imencode(kind, np.full((side, side, 3), (blue, green, red), np.uint8))[1])


RED, GREEN, BLUE = plain(250, 0, 0), plain(0, 250, 0), plain(0, 0, 250)


def labels(rows: Sequence[dict[str, Any]]) -> list[str | None]:
    return [row["label"] for row in rows]

"""Clients that hold connections: headers without end, slow requests, idle connections, answers that nobody takes."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cnnctl.serving import connections
from cnnctl.serving.metrics import Metrics
from tests.serving.build import RED, Served, labels, serving

HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def answer_to(connection: socket.socket) -> tuple[int, dict[str, str]]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, json.loads(response.read())


def memory(served: Served) -> int:
    """MB of the server that are not mapped files."""
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) // 1000


def end_of(connection: socket.socket) -> bytes:
    """All that comes until the server closes a connection."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def send_until_closed(connection: socket.socket, piece: bytes, most: int, pause: float = 0.0) -> None:
    """Send a piece again and again; fails unless the server closes the connection."""
    try:
        for _ in range(most):
            connection.sendall(piece)
            time.sleep(pause)
    except ConnectionError:
        return
    pytest.fail("the connection was not closed")


@pytest.fixture(scope="module")
def limited(colours: Path) -> Iterator[Served]:
    """A server that may have 150 open files and gives each request a second."""
    with serving(colours, "--no-explain", "--timeout", "1", open_files=150) as served:
        yield served


@pytest.mark.parametrize(
    "header",
    [
        b"X-A: " + b"a" * 33_000 + b"\r\n",
        b"".join(b"X-%d: a\r\n" % number for number in range(101)),
        b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1000) for number in range(40)),
    ],
    ids=["one field", "many fields", "many bytes"],
)
def test_a_header_that_is_too_long_is_refused(header: bytes, served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n")
        status, reason = answer_to(connection)
        assert status == 431
        assert reason["error"] == "the header of the request is longer than 32,768 bytes or 100 fields"
        assert connection.recv(10) == b""


def test_a_long_address_is_refused_and_a_header_of_30_kb_is_not(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"GET /healthz?" + b"a" * 33_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer_to(connection)[0] == 431
    assert served.ask("GET", "/healthz", headers={"X-A": "a" * 30_000}).status == 200


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (HEAD + b"X-A: ", b"a" * 1000),
        (HEAD, b"X-A: a\r\n" * 100),
        (b"GET /", b"a" * 1000),
        (CHUNKED + b"1;", b"a" * 1000),
        (CHUNKED + b"1\r\na\r\n0\r\nX-A: ", b"a" * 1000),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"X-A: a\r\n" * 100),
    ],
    ids=["value", "fields", "address", "extension of a chunk", "trailer", "trailers"],
)
def test_what_never_ends_is_not_kept(begin: bytes, piece: bytes, served: Served) -> None:
    before = memory(served)
    with served.connect() as connection:
        connection.sendall(begin)
        send_until_closed(connection, piece * 20, 1000)
    assert memory(served) - before < 8
    assert labels(served.raw(RED).json) == ["red"]


def test_pipelined_requests_are_answered_and_a_flood_of_them_is_not_kept(served: Served) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with served.connect() as connection:
        connection.sendall(request * 20 + request[:-2] + b"Connection: close\r\n\r\n")
        assert end_of(connection).count(b"HTTP/1.1 200 OK") == 21
    before = memory(served)
    with served.connect() as connection:
        connection.sendall(request * 50_000)
        end_of(connection)
    assert memory(served) - before < 8


def test_answers_that_nobody_takes_are_dropped(limited: Served) -> None:
    request = b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with limited.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        send_until_closed(connection, request, 100_000)
    assert limited.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\n", HEAD + b"X-A: a"])
def test_a_header_has_so_much_time(sent: bytes, limited: Served) -> None:
    with limited.connect() as connection:
        connection.sendall(sent)
        begun = time.monotonic()
        assert answer_to(connection) == (408, {"error": "the request did not arrive within 1 seconds", "hint": None})
        assert connection.recv(10) == b""
        assert 0.9 < time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "begin",
    [
        HEAD + b"X-A: ",
        HEAD + b"Content-Length: 1000\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
    ],
    ids=["header", "body", "body of an answered request"],
)
def test_a_byte_now_and_then_gains_no_time(begin: bytes, limited: Served) -> None:
    with limited.connect() as connection:
        connection.sendall(begin)
        begun = time.monotonic()
        send_until_closed(connection, b"a", 200, pause=0.1)
        assert time.monotonic() - begun < 6


def test_the_time_of_a_request_begins_with_its_first_byte(limited: Served) -> None:
    with limited.connect() as connection:
        connection.sendall(HEAD)
        time.sleep(0.8)
        begun = time.monotonic()
        connection.sendall(b"Content-Length: 1000\r\n\r\nabc")
        assert answer_to(connection)[0] == 408
        assert time.monotonic() - begun < 0.7


def never(connection: socket.socket) -> None:
    """Send nothing."""


def a_part(connection: socket.socket) -> None:
    """Send the begin of a header."""
    connection.sendall(b"GET / HTTP/1.1\r\nX-A: ")


def a_part_of_a_body(connection: socket.socket) -> None:
    """Send the begin of a body."""
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\na")


@pytest.mark.parametrize("send", [never, a_part, a_part_of_a_body])
def test_more_connections_than_open_files(send: Callable[[socket.socket], None], colours: Path) -> None:
    with serving(colours, "--no-explain", open_files=150) as served, ExitStack() as stack:
        for _ in range(300):
            connection = stack.enter_context(served.connect())
            try:
                send(connection)
            except ConnectionError:  # it had to make room already
                continue
        for _ in range(5):
            assert served.ask("GET", "/healthz").status == 200
        assert labels(served.raw(RED).json) == ["red"]
        files = len(list(Path(f"/proc/{served.process.pid}/fd").iterdir()))
        assert files < 150


def test_an_upload_outlives_a_flood_of_idle_connections(colours: Path) -> None:
    with serving(colours, "--no-explain", open_files=150) as served, served.connect() as slow, ExitStack() as stack:
        slow.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(RED) + RED[:20])
        for _ in range(300):
            stack.enter_context(served.connect())
        slow.sendall(RED[20:])
        response = http.client.HTTPResponse(slow)
        response.begin()
        assert response.status == 200


def test_many_at_once_are_all_answered(limited: Served) -> None:
    statuses: list[int] = []

    def ask() -> None:
        for _ in range(5):
            statuses.append(limited.raw(RED).status)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 100


def test_two_hosts_are_refused(served: Served) -> None:
    for hosts in ((b"localhost", b"localhost"), (b"localhost", b"evil.example"), (b"evil.example", b"localhost")):
        with served.connect() as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: %s\r\nHost: %s\r\n\r\n" % hosts)
            assert answer_to(connection)[0] == 400


@pytest.mark.parametrize("path", ["/", "/page.js", "/healthz", "/metrics", "/v1/model", "/docs", "/openapi.json"])
def test_head_is_get_without_a_body(path: str, served: Served) -> None:
    got, head = served.ask("GET", path), served.ask("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    if path != "/metrics":
        assert head.headers["content-length"] == str(len(got.body))
    assert head.headers["content-type"] == got.headers["content-type"]
    assert served.ask("HEAD", "/v1/predict").status == 405
    assert served.ask("HEAD", "/nothing").status == 404


def test_the_limit_is_below_that_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(connections, "available_cores", lambda: 2)
    for files, most in ((1024, 944), (256, 176), (20, 8), (100_000, 1000), (resource.RLIM_INFINITY, 1000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert connections.most_connections() == most


class Idle:
    """A connection over which no request came."""

    is_answering = False
    begun = None

    def __init__(self) -> None:
        self.transport = self
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def unread_seconds(self, now: float) -> float:
        return 0.0


def test_line_ends_before_a_request_gain_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(connections.time, "monotonic", lambda: now)
    all_of_them = connections.Connections(30.0, 10, Metrics(()))
    idle: Any = Idle()
    all_of_them.opened(idle)
    for now in (104.0, 108.0, 111.0):  # noqa: B007
        assert not idle.closed
        all_of_them.sort(idle)
        all_of_them.sweep()
    assert idle.closed

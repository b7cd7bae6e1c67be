"""A server of files on the loopback, which can break off, hang, drip and lie."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[["Handler"], None]


@dataclass
class Server:
    """What it answers with, and how often it was asked; `release` lets those go that hang."""

    address: str
    behaviour: Behaviour
    asked: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server_owner: Server

    def do_GET(self) -> None:
        self.server_owner.asked.append(self.path)
        self.server_owner.behaviour(self)

    def log_message(self, *args: object) -> None:
        """Says nothing."""

    def begin(self, length: int | None, code: int = 200) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Server]:
    """A server while the block lasts."""
    owner = Server("", behaviour)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"server_owner": owner}))
    owner.address = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield owner
    finally:
        owner.release.set()
        listener.shutdown()
        listener.server_close()
        thread.join()


def good(content: bytes) -> Behaviour:
    """The whole file."""

    def answer(request: Handler) -> None:
        request.begin(len(content))
        request.wfile.write(content)

    return answer


def without_length(content: bytes) -> Behaviour:
    """The whole file, whose length is not told."""

    def answer(request: Handler) -> None:
        request.begin(None)
        request.wfile.write(content)

    return answer


def broken_off(content: bytes) -> Behaviour:
    """Half of it."""

    def answer(request: Handler) -> None:
        request.begin(len(content))
        request.wfile.write(content[: len(content) // 2])

    return answer


def hanging(content: bytes) -> Behaviour:
    """A hundred bytes, then nothing."""

    def answer(request: Handler) -> None:
        request.begin(len(content))
        request.wfile.write(content[:100])
        request.server_owner.release.wait(60)

    return answer


def silent(request: Handler) -> None:
    """Not even a head."""
    request.server_owner.release.wait(60)


def dripping(request: Handler) -> None:
    """A byte now and then."""
    request.begin(1_000_000)
    while not request.server_owner.release.wait(0.02):
        try:
            request.wfile.write(b"x")
        except OSError:
            return


def refusing(request: Handler) -> None:
    """404."""
    request.begin(0, 404)

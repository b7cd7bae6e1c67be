"""Connections: what a client may hold of the server before its request is whole, and how many clients there may be.

uvicorn bounds neither a request's header nor the time until a request is whole, and keeps connections that never send
a byte. So a request's header, and what stands between the pieces of its body, may have so many bytes; a request must be
whole in so many seconds after its first byte; and where there is no room for one connection more, the one that has
waited longest for its client is closed.
"""

import json
import time
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cnnctl.serving.errors import RequestError, too_busy
from cnnctl.serving.guard import HEADERS
from cnnctl.serving.metrics import Metrics
from cnnctl.system.cores import available_cores

HEADER_BYTES = 32_768
HEADER_FIELDS = 100
PIPELINED = 32
"""Requests that a client may send before the first of them is answered."""
IDLE_SECONDS = 10.0
"""How long a connection may lie idle, before its first request and between two."""
SWEEP_SECONDS = 0.5

_MOST = 1000
_FEWEST = 8
_OTHER_FILES = 64
"""Open files of the server that are no connections, without those that each core adds."""
_FILES_OF_A_CORE = 8
_GRACE = 2.0
"""Seconds in which the service itself may refuse a body that is late, and better."""


def most_connections() -> int:
    """How many connections there may be, below the limit of open files (`ulimit -n`)."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return _MOST
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _MOST
    return max(_FEWEST, min(_MOST, files - _OTHER_FILES - _FILES_OF_A_CORE * available_cores()))


class Connections:
    """All connections of a server, `most` at most, each of whose requests may take `seconds` until it is whole.

    For the event loop's thread only.
    """

    def __init__(self, seconds: float, most: int, counters: Metrics) -> None:
        self.seconds = seconds
        self.counters = counters
        self._most = most
        self._open: set[Connection] = set()
        self._idle: dict[Connection, float] = {}  # since when, the longest first
        self._receiving: dict[Connection, float] = {}

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: "Connection") -> None:
        """There is one connection more: where it has no room, the oldest one that waits for its client makes room."""
        if len(self._open) >= self._most:
            oldest = next(iter(self._idle), None) or next(iter(self._receiving), None)
            if oldest is None:
                connection.refuse(too_busy("too many requests are being answered"))
                return
            self.closed(oldest)
            oldest.transport.abort()
        self._open.add(connection)
        self._idle[connection] = time.monotonic()

    def closed(self, connection: "Connection") -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._idle.pop(connection, None)
        self._receiving.pop(connection, None)

    def sort(self, connection: "Connection") -> None:
        """Something came or was answered: a connection waits for its client as before, anew, or not any more."""
        if connection.is_answering or connection.begun is None:
            self._receiving.pop(connection, None)
        if connection.is_answering or connection.begun is not None:
            self._idle.pop(connection, None)
        if connection not in self._open or connection.is_answering:
            return
        if connection.begun is None:
            self._idle.setdefault(connection, time.monotonic())  # what begins no request gains no time
        elif self._receiving.get(connection) != connection.begun:
            self._receiving.pop(connection, None)
            self._receiving[connection] = connection.begun

    def sweep(self) -> None:
        """Close what has waited too long for its client: for a request, for the rest of one, or to take an answer."""
        now = time.monotonic()
        for connection, since in list(self._idle.items()):
            if now - since > IDLE_SECONDS:
                connection.transport.close()
        for connection, since in list(self._receiving.items()):
            if now - since > self.seconds:
                connection.give_up(now - since > self.seconds + _GRACE)
        for connection in list(self._open):
            if connection.unread_seconds(now) > self.seconds:
                connection.transport.abort()


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with limits; `begun` is when the first byte of the request came that is not whole yet."""

    def __init__(self, *args: Any, all_of_them: Connections, **options: Any) -> None:
        super().__init__(*args, **options)
        self.begun: float | None = None
        self._all = all_of_them
        self._unparsed = 0
        self._unread_since: float | None = None
        self._refusal: RequestError | None = None

    @property
    def is_answering(self) -> bool:
        """Whether a whole request is in hand."""
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._all.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unparsed += len(data)
        super().data_received(data)
        self._all.sort(self)
        if self._unparsed > HEADER_BYTES and not self.transport.is_closing():
            self.refuse(_too_long())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.begun = time.monotonic()
        self.scope["state"]["begun"] = self.begun

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > HEADER_BYTES or len(self.headers) > HEADER_FIELDS:
            self._stop(_too_long())
        if len(self.pipeline) >= PIPELINED:
            self._stop(too_busy("too many requests came before the answer to the first"))
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """A piece of a body begins; what is before it is no header that never ends."""
        self._unparsed = 0

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._unparsed = 0
        self.begun = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._all.sort(self)

    def send_400_response(self, msg: str) -> None:
        """Where the parser gives up: for what one of its callbacks found, or since it is no HTTP."""
        self.refuse(self._refusal or RequestError(400, "this is not a valid HTTP request"))

    def give_up(self, late: bool) -> None:
        """The request has not become whole in its time."""
        seconds = self._all.seconds
        if self.cycle is None or self.cycle.response_complete:
            self.refuse(RequestError(408, f"the request did not arrive within {seconds:g} seconds"))
        elif late:
            self.transport.abort()

    def unread_seconds(self, now: float) -> float:
        """How long there has been something to send that the client does not take."""
        if not self.transport.get_write_buffer_size():
            self._unread_since = None
            return 0.0
        self._unread_since = self._unread_since or now
        return now - self._unread_since

    def refuse(self, error: RequestError) -> None:
        """Close the connection, with the reason where no answer is under way."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
            return
        body = json.dumps({"error": error.error, "hint": error.hint}).encode()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *((name.encode(), value.encode()) for name, value in (error.headers or {}).items()),
            *HEADERS,
            (b"connection", b"close"),
        ]
        head = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n".encode()
        self.transport.write(b"".join((head, *(b"%s: %s\r\n" % header for header in headers), b"\r\n", body)))
        self.transport.close()
        begun = self.begun or time.monotonic()
        self._all.counters.count("", error.status, time.monotonic() - begun)

    def _stop(self, refusal: RequestError) -> None:
        """Let the parser read no further; it turns what a callback raises into its own error."""
        self._refusal = refusal
        raise refusal


def _too_long() -> RequestError:
    said = f"the header of the request is longer than {HEADER_BYTES:,} bytes or {HEADER_FIELDS} fields"
    return RequestError(431, said, "send fewer or shorter headers")

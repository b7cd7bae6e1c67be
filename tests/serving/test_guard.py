"""The outermost layer of the server by itself, without a socket: who may ask, and what everybody is told."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from cnnctl.serving.errors import BUG, RequestError
from cnnctl.serving.guard import HEADERS, Guard, is_local, is_same_origin

Headers = Sequence[tuple[bytes, bytes]]
LOCAL: Headers = [(b"host", b"localhost:8000")]


@dataclass
class Counted:
    """In place of the metrics."""

    requests: list[tuple[str, int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def count(self, path: str, status: int, seconds: float) -> None:
        self.requests.append((path, status))
        self.seconds.append(seconds)


@dataclass
class Inner:
    """An application that answers with the method that it got, or fails."""

    fails: str = ""
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["method"])
        if self.fails == "before":
            raise ZeroDivisionError
        if self.fails == "refused":
            raise RequestError(418, "no")
        await send({"type": "http.response.start", "status": 201, "headers": [(b"a", b"b")]})
        if self.fails == "after":
            raise ZeroDivisionError
        await send({"type": "http.response.body", "body": scope["method"].encode()})


async def quick(request: Request) -> Response:
    """What answers POST /quick."""
    if "refuse" in request.query_params:
        raise RequestError(422, "wrong", "mend it", {"retry-after": "7"})
    return PlainTextResponse("quick", 202)


class Asked:
    """One request to a guard, and what came of it."""

    def __init__(
        self,
        method: str = "GET",
        path: str = "/slow",
        headers: Headers = LOCAL,
        local: bool = True,
        fails: str = "",
        logs: bool = True,
        client: tuple[str, int] | None = ("10.0.0.1", 5),
    ) -> None:
        self.counted, self.inner, self.lines = Counted(), Inner(fails), list[str]()
        self.sent: list[dict[str, Any]] = []
        self.error: Exception | None = None
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": list(headers),
            "client": client,
        }
        counters: Any = self.counted
        guard = Guard(self.inner, {("POST", "/quick"): quick}, local, counters, self.lines.append if logs else None)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            self.sent.append(message)

        try:
            asyncio.run(guard(scope, receive, send))
        except ZeroDivisionError as error:
            self.error = error

    @property
    def status(self) -> int:
        (start,) = (one for one in self.sent if one["type"] == "http.response.start")
        assert start["headers"][-len(HEADERS) :] == HEADERS
        return int(start["status"])

    @property
    def body(self) -> bytes:
        return b"".join(one.get("body", b"") for one in self.sent)


def test_what_is_asked_is_answered_counted_and_logged() -> None:
    asked = Asked()
    assert (asked.status, asked.body, asked.inner.asked) == (201, b"GET", ["GET"])
    assert asked.sent[0]["headers"][0] == (b"a", b"b")
    assert asked.counted.requests == [("/slow", 201)]
    assert 0 <= asked.counted.seconds[0] < 60


def test_the_time_of_a_request_is_logged_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((3.0, 5.5))
    monkeypatch.setattr("cnnctl.serving.guard.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    asked = Asked()
    assert asked.counted.seconds == [2.5]
    assert asked.lines == ["10.0.0.1 GET /slow 201 2500.0 ms"]


def test_nobody_need_log_and_a_client_may_have_no_address() -> None:
    silent = Asked(logs=False)
    assert (silent.status, silent.lines, silent.counted.requests) == (201, [], [("/slow", 201)])
    assert Asked(client=None).lines[0].startswith("- GET /slow 201 ")


def test_browsers_run_and_load_nothing_foreign() -> None:
    told = dict(HEADERS)
    rules = dict(rule.split(" ", 1) for rule in told[b"content-security-policy"].decode().split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["form-action"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    assert told[b"x-content-type-options"] == b"nosniff"
    assert told[b"cross-origin-resource-policy"] == b"same-origin"


def test_a_quick_path_does_not_reach_the_application() -> None:
    asked = Asked("POST", "/quick")
    assert (asked.status, asked.body, asked.inner.asked) == (202, b"quick", [])
    assert asked.counted.requests == [("/quick", 202)]
    assert Asked("GET", "/quick").inner.asked == ["GET"]
    refused = Asked("POST", "/quick?refuse=1")
    assert (refused.status, json.loads(refused.body)) == (422, {"error": "wrong", "hint": "mend it"})
    assert (b"retry-after", b"7") in refused.sent[0]["headers"]


def test_head_is_get_for_the_application_and_nothing_else_is() -> None:
    assert Asked("HEAD").inner.asked == ["GET"]
    assert Asked("OPTIONS").inner.asked == ["OPTIONS"]
    assert Asked("POST").inner.asked == ["POST"]


def test_a_bug_is_told_once() -> None:
    before = Asked(fails="before")
    assert before.error is not None
    assert (before.status, json.loads(before.body)["error"]) == (500, BUG.error)
    assert before.counted.requests == [("/slow", 500)]
    after = Asked(fails="after")
    assert after.error is not None
    assert after.status == 201
    assert after.counted.requests == [("/slow", 201)]
    refused = Asked(fails="refused")
    assert (refused.error, refused.status) == (None, 418)


HOSTS = [
    (b"localhost", True),
    (b"localhost:80", True),
    (b"LOCALHOST", True),
    (b"127.0.0.1:9000", True),
    (b"127.1.2.3", True),
    (b"[::1]", True),
    (b"[::1]:80", True),
    (b"", False),
    (b"evil.example", False),
    (b"localhost.evil.example", False),
    (b"127.0.0.1.evil.example", False),
    (b"10.0.0.1", False),
    (b"0.0.0.0", False),
    (b"[2001:db8::1]", False),
    (b"[::1", False),
    (b"localhost\xff", False),
]


@pytest.mark.parametrize(("host", "ours"), HOSTS)
def test_only_names_of_this_machine_are_local(host: bytes, ours: bool) -> None:
    assert is_local(host.decode("latin-1")) is ours
    asked = Asked(headers=[(b"host", host)])
    assert asked.status == (201 if ours else 403)
    assert len(asked.inner.asked) == ours
    if not ours:
        assert "--host accepts other machines" in json.loads(asked.body)["hint"]
    assert Asked(headers=[(b"host", host)], local=False).status == 201


def test_no_host_is_not_local_and_two_are_refused_everywhere() -> None:
    assert Asked(headers=[]).status == 403
    assert Asked(headers=[], local=False).status == 201
    for local in (True, False):
        twice = Asked(headers=[*LOCAL, *LOCAL], local=local)
        assert (twice.status, twice.inner.asked) == (400, [])
        assert json.loads(twice.body) == {"error": "the request has more than one Host header", "hint": "send one"}


SITES: list[tuple[dict[bytes, bytes], bool]] = [
    ({}, True),
    ({b"sec-fetch-site": b"same-origin"}, True),
    ({b"sec-fetch-site": b"none"}, True),
    ({b"sec-fetch-site": b"same-site"}, False),
    ({b"sec-fetch-site": b"cross-site"}, False),
    ({b"sec-fetch-site": b""}, False),
    ({b"sec-fetch-site": b"cross-site", b"origin": b"http://localhost:8000"}, False),
    ({b"sec-fetch-site": b"same-origin", b"origin": b"http://evil.example"}, True),
    ({b"origin": b"http://localhost:8000"}, True),
    ({b"origin": b"https://localhost:8000"}, True),
    ({b"origin": b"http://localhost"}, False),
    ({b"origin": b"http://evil.example"}, False),
    ({b"origin": b"localhost:8000"}, False),
    ({b"origin": b"null"}, False),
    ({b"origin": b""}, False),
]


@pytest.mark.parametrize(("headers", "ours"), SITES)
def test_pages_of_other_sites_can_look_and_not_send(headers: dict[bytes, bytes], ours: bool) -> None:
    assert is_same_origin(headers, "localhost:8000") is ours
    given = [*LOCAL, *headers.items()]
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert Asked(method, headers=given).status == (201 if ours else 403)
    for method in ("GET", "HEAD", "OPTIONS"):
        assert Asked(method, headers=given).status == 201

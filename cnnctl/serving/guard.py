"""The outermost layer: who may ask, what browsers are told, and the count of it all."""

import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cnnctl.serving.errors import BUG, RequestError
from cnnctl.serving.metrics import Metrics

Endpoint = Callable[[Request], Awaitable[Response]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_SAFE = ("GET", "HEAD", "OPTIONS")


class Guard:
    """An ASGI application around another one.

    `quick` answers instead of `inner` by method and path: the way of most requests, without a router. `local` says that
    the server listens on a loopback address, so that only its own names are its host. `log` gets a line for each
    request.
    """

    def __init__(
        self,
        inner: ASGIApp,
        quick: Mapping[tuple[str, str], Endpoint],
        local: bool,
        counters: Metrics,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._inner = inner
        self._quick = quick
        self._local = local
        self._metrics = counters
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        try:
            await self._answer(scope, receive, told)
        except Exception:
            if not status:
                await BUG.response()(scope, receive, told)
            raise  # uvicorn writes the traceback
        finally:
            seconds = time.perf_counter() - begun
            self._metrics.count(scope["path"], status, seconds)
            if self._log is not None:
                client = scope["client"][0] if scope["client"] else "-"
                self._log(f"{client} {scope['method']} {scope['path']} {status} {seconds * 1000:.1f} ms")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
            endpoint = self._quick.get((scope["method"], scope["path"]))
            if endpoint is None:
                # HEAD is GET whose body uvicorn leaves out, by the method in its own scope
                inner = scope if scope["method"] != "HEAD" else {**scope, "method": "GET"}
                await self._inner(inner, receive, send)
                return
            response = await endpoint(Request(scope, receive))
        except RequestError as error:
            response = error.response()
        await response(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        """Refuse what another site made a browser send, and what two readers could take for different requests.

        Raises:
            RequestError: 400 or 403.
        """
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:
            raise RequestError(400, "the request has more than one Host header", "send one")
        found: dict[bytes, bytes] = dict(scope["headers"])
        host = found.get(b"host", b"").decode("latin-1")
        if self._local and not is_local(host):
            hint = "use localhost or 127.0.0.1; a proxy has to send such a Host; --host accepts other machines"
            raise RequestError(403, "this server accepts requests from this machine only, under another name", hint)
        if scope["method"] not in _SAFE and not is_same_origin(found, host):
            raise RequestError(403, "requests from pages of other sites are refused")


def is_local(host: str) -> bool:
    """Whether a Host header names the machine itself: a name that a stranger's DNS gives to 127.0.0.1 does not."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_same_origin(headers: Mapping[bytes, bytes], host: str) -> bool:
    """Whether a request comes from this server's own pages or from no page at all.

    Source: the protection against cross-site requests of Go's net/http (CrossOriginProtection).
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in (b"same-origin", b"none")
    origin = headers.get(b"origin")
    return origin is None or origin.decode("latin-1").partition("://")[2] == host

"""uvicorn: a socket of ours, signals that end it well, and no line on the screen but ours."""

import asyncio
import errno
import ipaddress
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from types import FrameType
from typing import TYPE_CHECKING, cast

from cnnctl.errors import EXIT_INTERRUPTED, EXIT_OK, MachineError, UsageError, how_to_install
from cnnctl.inference.model import load_classifier
from cnnctl.inference.sets import read_scores
from cnnctl.runs import Run
from cnnctl.serving.limits import Limits
from cnnctl.system.cores import available_cores

if TYPE_CHECKING:
    from cnnctl.serving.decoder import Process

_PACKAGES = ("fastapi", "uvicorn", "httptools", "python_multipart")


def insist_on_packages() -> None:
    """Raises:
    MachineError: what answers HTTP is not installed.
    """
    missing = next((name for name in _PACKAGES if find_spec(name) is None), None)
    if missing is not None:
        raise MachineError(f"{missing} is not installed", f"install it with: {how_to_install('serve')}")


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens on an address of this machine or a name for one; port 0 is any that is free.

    Raises:
        UsageError: there is no such host.
        MachineError: the port is in use, or may not be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"--host {host} is not an address: {reason}", "leave it out, or --host 0.0.0.0 for all"
        ) from None
    try:
        found = socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        hints = {
            errno.EADDRINUSE: "choose another with --port PORT; --port 0 takes any that is free",
            errno.EACCES: "choose one from 1024 on with --port PORT",
            errno.EADDRNOTAVAIL: "--host takes an address of this machine",
        }
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {os.strerror(error.errno or 0)}"
        raise MachineError(f"port {port} of {host} {reason}", hints.get(error.errno or 0)) from None
    with found:
        yield found


def address_of(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_local(listener: socket.socket) -> bool:
    """Whether only this machine reaches a listening socket."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def serve(
    run: Run,
    listener: socket.socket,
    limits: Callable[[int], Limits],
    explains: bool,
    ready: Callable[[str | None], None],
    log: Callable[[str], None] | None,
    tells_unknown: bool = True,
) -> int:
    """Answer requests until SIGTERM or Ctrl-C; those under way are finished.

    `limits` is given the bytes that the run takes of one image file. `ready` is called once requests are answered, with
    the reason where Grad-CAM is wanted (`explains`) and cannot be had. `log` gets a line for each request. If it
    `tells_unknown`, answers say whether an image is.

    Returns:
        The exit code.

    Raises:
        RunError: the run has no usable model.
    """
    from cnnctl.serving.decoder import start_process

    with ExitStack() as stack:
        decoding = start_process()  # it gets ready while this one does
        stack.callback(decoding[0].kill)
        return _serve(run, listener, limits, explains, ready, log, tells_unknown, decoding, stack)


def _serve(
    run: Run,
    listener: socket.socket,
    limits: Callable[[int], Limits],
    explains: bool,
    ready: Callable[[str | None], None],
    log: Callable[[str], None] | None,
    tells_unknown: bool,
    decoding: "Process",
    stack: ExitStack,
) -> int:
    import uvicorn

    from cnnctl.serving.app import PATHS, make_app
    from cnnctl.serving.batcher import Batcher
    from cnnctl.serving.connections import IDLE_SECONDS, SWEEP_SECONDS, Connection, Connections, most_connections
    from cnnctl.serving.explainer import Explainer, why_not
    from cnnctl.serving.metrics import Metrics
    from cnnctl.serving.service import Service

    classifier = load_classifier(run, threads=1, tells_unknown=tells_unknown)
    chosen = limits(classifier.spec.max_bytes)
    missing = why_not(run) if explains else None
    batcher = stack.enter_context(Batcher(classifier, available_cores(), chosen.queue, chosen.seconds, decoding))
    explainer = stack.enter_context(Explainer(run)) if explains and missing is None else None
    counters = Metrics(PATHS)
    scores = read_scores(run) if run.has(run.prediction_sets) else None
    service = Service(classifier, scores, batcher, explainer, chosen, counters)
    connections = Connections(chosen.seconds, most_connections(), counters)
    config = uvicorn.Config(
        make_app(service, run.title, counters, is_local(listener), log),
        http=cast("type[asyncio.Protocol]", partial(Connection, all_of_them=connections)),
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=math.ceil(IDLE_SECONDS),
        timeout_graceful_shutdown=math.ceil(chosen.seconds),
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            self._sweep()
            ready(missing)

        def _sweep(self) -> None:
            connections.sweep()
            asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    server = Server(config)
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        """uvicorn has its own handler while it runs and hands the signal on to this one when it has ended."""
        asked.append(number)
        server.should_exit = True

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    sys.stdout.flush()
    return EXIT_INTERRUPTED if signal.SIGINT in asked else EXIT_OK

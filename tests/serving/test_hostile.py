"""A server whose decoding processes hang or die answers all other requests."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cnnctl.system.cores import available_cores
from tests.serving.build import GREEN, RED, Reply, Served, children, labels, serving

DECODERS = "decoding_process"


def wait_for(served: Served) -> list[int]:
    """The decoding processes, once there are as many as cores."""
    deadline = time.monotonic() + 60
    while len(found := children(served.process, DECODERS)) < available_cores():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert labels(served.raw(RED).json) == ["red"]
    return found


@pytest.fixture
def stopped() -> Iterator[list[int]]:
    """Processes that a test stops, which would never see that their server is gone."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_decoder_that_hangs_holds_only_its_own_request(colours: Path, stopped: list[int]) -> None:
    with serving(colours, "--no-explain", "--timeout", "6") as served:
        stopped += wait_for(served)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        held: list[Reply] = []
        threads = [threading.Thread(target=lambda: held.append(served.raw(GREEN))) for _ in stopped]
        for thread in threads:
            thread.start()
            time.sleep(0.5)
        for _ in range(10):
            assert labels(served.raw(RED).json) == ["red"]
        assert served.ask("GET", "/healthz").json == {"status": "ok"}
        for thread in threads:
            thread.join()
        assert len(held) == len(stopped)
        late = {reply.status for reply in held}
        assert late <= {200, 422, 503}
        assert late != {200}
        deadline = time.monotonic() + 5
        while "\ncnnctl_decoders_replaced_total 0\n" in served.ask("GET", "/metrics").body.decode():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not set(stopped) <= set(children(served.process, DECODERS))
        assert served.end() == 0


def test_decoders_that_die_are_replaced(colours: Path) -> None:
    with serving(colours, "--no-explain") as served:
        wait_for(served)
        for _ in range(3):
            for pid in children(served.process, DECODERS):
                os.kill(pid, signal.SIGKILL)
            assert labels(served.raw(GREEN).json) == ["green"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_decoders_end_with_their_server(number: int, colours: Path) -> None:
    with serving(colours, "--no-explain") as served:
        pids = wait_for(served)
        served.end(number)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)

"""How the processes of one training agree and end, without the processes."""

import os
import signal
import threading
import time

import pytest

from cnnctl.errors import MachineError, UsageError
from cnnctl.models import together
from cnnctl.models.together import AgreedInterrupts, Together, ended_when_stuck, is_loss, stall_seconds
from cnnctl.system.cluster import Cluster
from cnnctl.system.interrupts import Interrupt, Interrupts


def test_a_process_that_is_stuck_is_left() -> None:
    begun, left = time.monotonic(), threading.Event()
    with ended_when_stuck(lambda: begun, 0.1, left.set):
        assert left.wait(10)


def test_a_process_that_makes_steps_is_not_left() -> None:
    left = threading.Event()
    with ended_when_stuck(time.monotonic, 0.1, left.set):
        assert not left.wait(0.4)
    begun = time.monotonic()
    with ended_when_stuck(lambda: begun - 3600, 7200, left.set):
        pass
    assert not left.is_set()


def test_the_limit_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CNNCTL_STALL_SECONDS", raising=False)
    assert stall_seconds() == 600
    monkeypatch.setenv("CNNCTL_STALL_SECONDS", "90.5")
    assert stall_seconds() == 90.5
    for wrong in ("soon", "0", "-1", "nan", "inf"):
        monkeypatch.setenv("CNNCTL_STALL_SECONDS", wrong)
        with pytest.raises(UsageError, match="is a number of seconds above 0; received: "):
            stall_seconds()


def test_what_jax_says_of_a_process_that_died() -> None:
    lost = ValueError("UNKNOWN: Gloo all-reduce failed: Read error: Connection reset by peer")
    assert is_loss(lost)
    assert is_loss(RuntimeError("UNAVAILABLE: The following tasks are unhealthy"))
    assert not is_loss(ValueError("could not convert string to float"))
    assert not is_loss(MachineError("Gloo is not ours to explain"))
    later = KeyError("what fails because of it")
    later.__context__ = lost
    assert is_loss(later)


def test_all_processes_stop_where_jax_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(together, "is_stop", lambda step: asked.append(step) or step == 3)
    agreed = AgreedInterrupts(Interrupts())
    agreed.check()
    agreed.check()
    with pytest.raises(Interrupt) as stop:
        agreed.check()
    assert asked == [1, 2, 3]
    assert stop.value.exit_code == 128 + signal.SIGTERM


def test_ctrl_c_waits_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is handed on as a SIGTERM, once, which JAX hears of."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *given: sent.append(given))
    monkeypatch.setattr(together, "is_stop", lambda step: step == 3)
    own = Interrupts()
    agreed = AgreedInterrupts(own)
    with pytest.raises(Interrupt) as stop, agreed.deferred():  # noqa: PT012
        own.handle(signal.SIGINT, None)
        agreed.check()
        agreed.check()
        assert sent == [(os.getpid(), signal.SIGTERM)]
        agreed.check()
    assert stop.value.exit_code == 130


def test_processes_that_differ_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Together(Cluster(0, 2, "a:1"), "cnnctl train --resume run", None, None)  # type: ignore[arg-type]
    facts = {"set of images": "a", "number of devices": 8}
    monkeypatch.setattr(together, "exchange", lambda own: [own, dict(own)])
    here.agree(facts)
    for other, said in (
        ({"set of images": "b"}, "process 1 has another set of images than process 0"),
        ({"number of devices": 4}, "process 1 has another number of devices than process 0: 4, and not 8"),
    ):
        monkeypatch.setattr(together, "exchange", lambda own, other=other: [own, {**own, **other}])
        with pytest.raises(MachineError) as caught:
            here.agree(facts)
        assert caught.value.message == said

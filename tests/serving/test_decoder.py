"""Images that hold, crash or fill a decoder: each costs only its own request."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from cnnctl.data.decoder import images
from cnnctl.data.decoder.images import ImageSpec, decode
from cnnctl.data.decoder.memory import ByteBudget
from cnnctl.serving import batcher, decoder
from cnnctl.serving.batcher import Batcher, Seen
from cnnctl.serving.decoder import SLOW, Decoder, UnusableError
from cnnctl.serving.errors import RequestError
from tests.serving.build import BLUE, GREEN, RED
from tests.serving.misbehaving import PROGRAM
from tests.serving.test_batcher import slow

SPEC = ImageSpec(4, 4)
SLEEP = b"sleep 60"


@pytest.fixture(autouse=True)
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "_PROGRAM", PROGRAM)


@pytest.fixture
def one() -> Iterator[Decoder]:
    found = Decoder(SPEC, 2.0)
    yield found
    found.end()


def always(at: int) -> bool:
    """Somebody waits for every image."""
    return True


def outcomes(found: Decoder, contents: list[bytes], wanted: Callable[[int], bool] = always) -> list[tuple[int, Any]]:
    """(place, colour, status with message, or SLOW)."""
    said: list[tuple[int, Any]] = []
    for at, outcome in found.decode(contents, wanted):
        if isinstance(outcome, UnusableError):
            said.append((at, (outcome.status, outcome.message)))
        else:
            said.append((at, outcome if outcome is SLOW else ("red", "green", "blue")[int(outcome[0, 0].argmax())]))
    return said


def test_pixels_are_those_of_the_decoder(one: Decoder) -> None:
    ((_, pixels),) = one.decode([RED], always)
    np.testing.assert_array_equal(pixels, decode(RED, SPEC))
    assert outcomes(one, [RED, b"text", GREEN, b""]) == [
        (0, "red"),
        (1, (415, "it is a text file")),
        (2, "green"),
        (3, (422, "the file is empty")),
    ]
    assert one.replaced == 0


def test_pixels_of_many_and_of_large_images() -> None:
    spec = ImageSpec(700, 900)
    found = Decoder(spec, 30)
    try:
        noise = np.random.default_rng(0).integers(0, 256, (5, 700, 900, 3), np.uint8)
        files = [bytes(images.opencv().imencode(".png", one)[1]) for one in noise]
        for (at, got), pixels in zip(found.decode(files, always), noise, strict=True):
            np.testing.assert_array_equal(got, pixels[:, :, ::-1], err_msg=str(at))
    finally:
        found.end()


@pytest.mark.parametrize("what", [b"crash", b"exit"])
def test_a_crash_is_one_images_reason(what: bytes, one: Decoder) -> None:
    said = outcomes(one, [RED, what, GREEN, what, BLUE])
    assert sorted(said) == [
        (0, "red"),
        (1, (422, "the image is damaged: it ended the decoder")),
        (2, "green"),
        (3, (422, "the image is damaged: it ended the decoder")),
        (4, "blue"),
    ]
    assert one.replaced == 4  # each is tried twice: a process may die of something else


def test_an_exception_and_a_lack_of_memory_are_one_images_reason(
    one: Decoder, caplog: pytest.LogCaptureFixture
) -> None:
    assert outcomes(one, [RED, b"overflow", b"memory", GREEN]) == [
        (0, "red"),
        (1, (422, "the image is damaged: the decoder ended with OverflowError")),
        (2, (422, "decoding it takes too much memory")),
        (3, "green"),
    ]
    assert one.replaced == 0
    assert "cannot fit 'int' into an index-sized integer" in caplog.text


def test_a_slow_image_is_told_and_ended_after_its_time(one: Decoder) -> None:
    begun = time.monotonic()
    said = outcomes(one, [RED, SLEEP, GREEN])
    assert said[-2:] == [(1, SLOW), (1, (422, "decoding it takes more than 2 seconds"))]
    assert said[:-2] in ([(0, "red")], [])  # it may not have been told yet, and is the caller's again
    assert 2 <= time.monotonic() - begun < 6
    assert one.replaced == 1
    assert outcomes(one, [GREEN]) == [(0, "green")]


def test_an_image_that_is_slow_and_good_is_answered(one: Decoder) -> None:
    late = b"sleep 1 "
    said = outcomes(one, [RED, late + BLUE, GREEN])
    assert said[-2:] == [(1, SLOW), (1, "blue")]
    assert outcomes(one, [BLUE, GREEN]) == [(0, "blue"), (1, "green")]


@pytest.mark.skipif(not hasattr(signal, "SIGXCPU"), reason="the system limits no processor time")
def test_processor_time_is_limited() -> None:
    found = Decoder(SPEC, 60)
    begun = time.monotonic()
    try:
        assert outcomes(found, [b"spin"]) == [(0, SLOW), (0, (422, "decoding it takes more than 10 seconds"))]
    finally:
        found.end()
    assert time.monotonic() - begun < 50


def test_an_image_that_nobody_waits_for_is_ended_soon() -> None:
    found = Decoder(SPEC, 60)
    begun = time.monotonic()
    try:
        assert [at for at, _ in outcomes(found, [SLEEP], lambda at: False)] == [0, 0]
    finally:
        found.end()
    assert time.monotonic() - begun < 10


def test_a_process_that_something_else_ended_is_replaced(one: Decoder) -> None:
    assert outcomes(one, [RED]) == [(0, "red")]
    assert one._process is not None
    os.kill(one._process.pid, signal.SIGKILL)
    one._process.wait()
    assert outcomes(one, [GREEN]) == [(0, "green")]
    assert one.replaced == 0


def test_without_a_process_there_is_503(one: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "_PROGRAM", "raise SystemExit(1)")
    with pytest.raises(RequestError) as raised:
        outcomes(one, [RED])
    assert raised.value.status == 503
    assert not one.works
    monkeypatch.setattr(decoder, "_PROGRAM", PROGRAM)
    assert outcomes(one, [RED]) == [(0, "red")]
    assert one.works


def test_the_budget_is_that_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = ByteBudget(10**9)
    monkeypatch.setattr(images, "BUDGET", budget)
    begun = time.monotonic()
    pair = [Decoder(SPEC, 30) for _ in range(2)]
    threads = [threading.Thread(target=outcomes, args=(one, [b"budget 1000000000"])) for one in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun >= 2
    crashing = Decoder(SPEC, 0.5)
    for at, outcome in crashing.decode([b"budget 1000000000"], lambda at: False):
        assert at == 0
        if outcome is not SLOW:
            with budget.taken(10**9, 0):  # it was given back
                pass
    for one in (*pair, crashing):
        one.end()


def test_few_wait_for_the_budget_and_not_for_long(monkeypatch: pytest.MonkeyPatch, one: Decoder) -> None:
    budget = ByteBudget(10**9)
    monkeypatch.setattr(images, "BUDGET", budget)
    monkeypatch.setattr(decoder, "_TURN_SECONDS", 0.2)
    busy = (503, "too many large images are being decoded")
    with budget.taken(10**9):
        assert outcomes(one, [b"budget 20000000"]) == [(0, SLOW), (0, busy)]
        monkeypatch.setattr(decoder, "_WAITING", threading.Semaphore(0))
        assert outcomes(one, [b"budget 20000000"]) == [(0, SLOW), (0, busy)]
        assert outcomes(one, [RED, GREEN]) == [(0, "red"), (1, "green")]
    assert one.replaced == 0
    assert [at for at, _ in one.decode([b"budget 20000000"], always)][-1] == 0


def ask(seconds: float, *files: bytes, threads: int = 1, before: float = 0.0) -> tuple[list[Any], float, Batcher]:
    """The outcomes of files that come in requests of their own, all but the first a little later; when all but it are
    there, in seconds; and the batcher."""
    classifier = slow(SPEC)
    classifier.may.set()

    async def talk() -> tuple[list[Any], float, Batcher]:
        with Batcher(classifier, threads, 100, seconds) as found:
            await found.answer([RED])
            first = asyncio.create_task(found.answer([files[0]]))
            await asyncio.sleep(before)
            begun = time.monotonic()
            rest = await asyncio.gather(*(found.answer([file]) for file in files[1:]))
            taken = time.monotonic() - begun
            got = [*await first, *(one for answers in rest for one in answers)]
            return got, taken, found

    return asyncio.run(talk())


@pytest.mark.parametrize("before", [0.0, 0.1])
def test_others_do_not_wait_for_a_slow_image(before: float) -> None:
    got, taken, found = ask(8.0, SLEEP, RED, GREEN, BLUE, before=before)
    assert isinstance(got[0], UnusableError)
    assert all(isinstance(one, Seen) for one in got[1:])
    assert taken < 5
    assert found.replaced == 1


def test_those_in_one_request_with_a_slow_image_get_their_answers() -> None:
    classifier = slow(SPEC)
    classifier.may.set()

    async def talk() -> list[Any]:
        with Batcher(classifier, 1, 100, 1.5) as found:
            got = await found.answer([RED, b"crash", SLEEP, GREEN, b"overflow", BLUE])
            assert found.trouble() is None
            assert found.images == 6
            return got

    got = asyncio.run(talk())
    assert [isinstance(one, Seen) for one in got] == [True, False, False, True, False, True]
    assert [round(float(one.probabilities.argmax())) for one in got if isinstance(one, Seen)] == [0, 1, 2]


def test_health_says_that_nothing_is_answered_and_that_it_is_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "_STALLED_SECONDS", 0.5)
    classifier = slow(SPEC)
    classifier.may.set()

    async def talk() -> None:
        with Batcher(classifier, 1, 100, 4.0) as found:
            await found.answer([RED])
            tasks = [asyncio.create_task(found.answer([SLEEP])) for _ in range(12)]
            troubles = set()
            for _ in range(300):
                await asyncio.sleep(0.1)
                troubles.add(found.trouble())
                if all(task.done() for task in tasks):
                    break
            assert troubles == {None, "no image has been answered for 0.5 seconds"}
            assert isinstance((await found.answer([RED]))[0], Seen)
            assert found.trouble() is None

    asyncio.run(talk())

"""What is waiting is computed together, and every image gets its own answer."""

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from cnnctl.data.decoder.images import ImageSpec, decode, opencv
from cnnctl.errors import RunError
from cnnctl.inference.model import Classifier
from cnnctl.serving.batcher import Batcher, Seen
from cnnctl.serving.decoder import UnusableError
from cnnctl.serving.errors import RequestError
from tests.serving.build import BLUE, GREEN, RED, plain

SPEC = ImageSpec(4, 4, max_bytes=20_000)


@dataclass(frozen=True)
class Slow(Classifier):
    """A classifier that waits for leave, and answers the mean of each channel."""

    may: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    sizes: list[int] = field(default_factory=list)

    def probabilities(self, images):
        self.started.set()
        assert self.may.wait(20)
        self.sizes.append(len(images))
        return images.mean(axis=(1, 2), dtype=np.float32)


def slow(spec: ImageSpec = SPEC) -> Slow:
    return Slow(("red", "green", "blue"), spec, None, Path("model.onnx"))


def test_what_waits_meanwhile_becomes_one_batch() -> None:
    classifier = slow()
    images = [plain(number, 0, 0) for number in range(40)]

    async def ask() -> list[list[object]]:
        with Batcher(classifier, 1, 100) as batcher:
            first = asyncio.create_task(batcher.answer(images[:1]))
            await asyncio.to_thread(classifier.started.wait, 20)
            rest = [asyncio.create_task(batcher.answer(images[at : at + 3])) for at in range(1, 40, 3)]
            await asyncio.sleep(0.05)
            assert batcher.waiting == 39
            classifier.may.set()
            got = await asyncio.gather(first, *rest)
            assert (batcher.waiting, batcher.batches, batcher.images) == (0, 2, 40)
            return got

    got = asyncio.run(ask())
    assert classifier.sizes == [1, 39]
    seen = [outcome for outcomes in got for outcome in outcomes]
    assert [round(float(one.probabilities[0])) for one in seen] == list(range(40))
    np.testing.assert_array_equal(seen[7].pixels, decode(images[7], SPEC))


def test_large_files_and_idle_threads_share_the_work() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (220, 220, 3), np.uint8)
    large = bytes(opencv().imencode(".png", noise)[1])
    assert len(large) > 130_000
    classifier = slow(ImageSpec(4, 4))
    classifier.may.set()

    async def ask() -> None:
        with Batcher(classifier, 1, 100) as batcher:
            await batcher.answer([large] * 3)

    asyncio.run(ask())
    assert classifier.sizes == [1, 1, 1]


def test_bad_images_fail_alone() -> None:
    classifier = slow()
    classifier.may.set()

    async def ask() -> list[object]:
        with Batcher(classifier, 2, 100) as batcher:
            return await batcher.answer([RED, b"text", GREEN, b"", b"\xff\xd8\xff" + b"\0" * 30_000, BLUE])

    got = asyncio.run(ask())
    assert [isinstance(one, Seen) for one in got] == [True, False, True, False, False, True]
    assert [(one.status, one.message) for one in got if isinstance(one, UnusableError)] == [
        (415, "it is a text file"),
        (422, "the file is empty"),
        (413, "the file is larger than 0.02 MB"),
    ]


def test_a_full_queue_refuses_and_a_cancelled_request_frees_its_place() -> None:
    classifier = slow()

    async def ask() -> None:
        with Batcher(classifier, 1, 2) as batcher:
            first = asyncio.create_task(batcher.answer([RED]))
            await asyncio.to_thread(classifier.started.wait, 20)
            second = asyncio.create_task(batcher.answer([RED, RED]))
            await asyncio.sleep(0)
            with pytest.raises(RequestError) as refused:
                await batcher.answer([GREEN])
            assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "1"})
            second.cancel()
            classifier.may.set()
            await first
            await batcher.answer([BLUE])
            assert batcher.images == 2

    asyncio.run(ask())


def test_the_places_of_a_cancelled_request_are_free_before_a_thread_comes_to_them() -> None:
    classifier = slow()

    async def ask() -> None:
        with Batcher(classifier, 1, 2) as batcher:
            first = asyncio.create_task(batcher.answer([RED]))
            await asyncio.to_thread(classifier.started.wait, 20)
            second = asyncio.create_task(batcher.answer([RED, RED]))
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait([second])
            third = asyncio.create_task(batcher.answer([BLUE, GREEN]))
            await asyncio.sleep(0)
            classifier.may.set()
            await first
            assert len(await third) == 2
            assert batcher.images == 3

    asyncio.run(ask())


def test_an_error_of_the_model_reaches_everybody_and_the_next_are_answered() -> None:
    class Broken(Slow):
        def probabilities(self, images):
            if images[0, 0, 0, 0] == 250:
                raise RunError("broken")
            return super().probabilities(images)

    classifier = Broken(("red", "green", "blue"), SPEC, None, Path("model.onnx"))
    classifier.may.set()

    async def ask() -> None:
        with Batcher(classifier, 1, 100) as batcher:
            with pytest.raises(RunError, match="broken"):
                await batcher.answer([RED, GREEN])
            assert len(await batcher.answer([BLUE])) == 1
            assert batcher.trouble() is None

    asyncio.run(ask())

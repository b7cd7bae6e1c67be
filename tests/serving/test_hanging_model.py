"""A model that hangs at one image: that request is refused when its time is over, and the others are answered."""

import asyncio
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.inference.model import Classifier
from cnnctl.inference.time_limit import LimitedSession
from cnnctl.serving.app import HEALTH, PATHS, PREDICT, make_app
from cnnctl.serving.batcher import Batcher
from cnnctl.serving.guard import Guard
from cnnctl.serving.limits import Limits
from cnnctl.serving.metrics import Metrics
from cnnctl.serving.service import Service
from tests.inference.build import COLOURS, SPEC
from tests.serving.build import BLUE, GREEN, RED

SECONDS = 1.5


class HangsAtRed:
    """A session that answers the mean of each channel, and of red images nothing before it is let go."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.hangs = threading.Event()
        self.asked = 0

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="image")]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="probabilities")]

    def run(self, names: object, feed: dict[str, NDArray[np.uint8]], options: object) -> list[NDArray[np.float32]]:
        self.asked += 1
        means = feed["image"].mean(axis=(1, 2), dtype=np.float32)
        if (means[:, 0] > 200).any():
            self.hangs.set()
            self.goes_on.wait()
        return [means]


async def ask(app: Guard, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    headers = [(b"host", b"localhost"), (b"content-type", b"application/octet-stream")]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers, "client": None}
    sent: list[Any] = []
    came = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return came.pop() if came else await asyncio.Future()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(one.get("body", b"") for one in sent))


def test_only_the_image_that_it_hangs_at_waits() -> None:
    session = HangsAtRed()
    classifier = Classifier(COLOURS, SPEC, LimitedSession(session, Path("model.onnx"), SECONDS), Path("model.onnx"))

    async def story() -> None:
        counters = Metrics(PATHS)
        with Batcher(classifier, 2, 100) as batcher:
            service = Service(classifier, None, batcher, None, Limits(10_000), counters)
            app = make_app(service, "colours", counters, True)
            red = asyncio.create_task(ask(app, "POST", PREDICT, RED))
            await asyncio.to_thread(session.hangs.wait, 60)
            status, (green,) = await ask(app, "POST", PREDICT, GREEN)
            assert (status, green["label"], red.done()) == (200, "green", False)

            status, refused = await red
            assert (status, refused["error"]) == (503, "the network cannot be computed")
            asked = session.asked
            assert (await ask(app, "POST", PREDICT, BLUE))[0] == 503
            assert session.asked == asked  # it would hang as well, and hold another thread
            status, health = await ask(app, "GET", HEALTH)
            assert (status, "time is over" in health["error"]) == (503, True)

            session.goes_on.set()
            await asyncio.to_thread(classifier.session._left.join)
            status, (blue,) = await ask(app, "POST", PREDICT, BLUE)
            assert (status, blue["label"]) == (200, "blue")
            assert (await ask(app, "GET", HEALTH))[0] == 200

    asyncio.run(story())

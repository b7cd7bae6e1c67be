"""What the server does for each request."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cnnctl.errors import CnnctlError, UsageError
from cnnctl.inference import DEFAULT_TOP
from cnnctl.inference.answers import Answer, predicted
from cnnctl.inference.model import Classifier
from cnnctl.inference.sets import SetScores
from cnnctl.serving import metrics
from cnnctl.serving.batcher import Batcher, Outcome, Seen
from cnnctl.serving.bodies import ByteBudget, Upload, read_uploads
from cnnctl.serving.decoder import UnusableError
from cnnctl.serving.errors import RETRY, RequestError, too_busy
from cnnctl.serving.explainer import Explainer
from cnnctl.serving.limits import BODIES_AT_ONCE, Limits
from cnnctl.serving.metrics import Metrics
from cnnctl.serving.pictures import png

_LONGEST_NUMBER = 9
"""Digits; a longer number is more than any network has classes."""


class Service:
    """The answers to requests; the docstring of each is its text in the OpenAPI description.

    `set_scores` are those of the run, None where it has none. `explainer` says why; it is None where it is not to.
    """

    def __init__(
        self,
        classifier: Classifier,
        set_scores: SetScores | None,
        batcher: Batcher,
        explainer: Explainer | None,
        limits: Limits,
        counters: Metrics,
    ) -> None:
        self.classifier = classifier
        self.limits = limits
        self.explainer = explainer
        self._set_scores = set_scores
        self._batcher = batcher
        self._metrics = counters
        self._purse = ByteBudget(BODIES_AT_ONCE * limits.body_bytes)

    async def predict(self, request: Request) -> Response:
        """The class of each image, as `cnnctl predict --format json` says it, in the order they were sent.

        Of several images those that cannot be read have an `error` in their row. If none can be read,
        the request is refused.
        """
        top, threshold = _top(request), self._threshold(request)
        async with self._looked_at(request) as (uploads, outcomes):
            self._insist_on_one(uploads, outcomes)
            pairs = zip(uploads, outcomes, strict=True)
            answers = [self._answer(upload, outcome, top, threshold) for upload, outcome in pairs]
        return _json([answer.to_json() for answer in answers])

    async def view(self, request: Request) -> Response:
        """One image as the network sees it: fitted to its input, as a PNG file. Sent again, it gets the same answer."""
        async with self._looked_at(request) as looked:
            seen = self._only(*looked)
        return Response(await asyncio.to_thread(png, seen.pixels), media_type="image/png")

    async def explain(self, request: Request) -> Response:
        """Grad-CAM of one image: which places speak for the likeliest classes, three at most.

        Where an image may have several labels, those that it gets come first. The first time takes seconds longer,
        since it loads Keras.
        """
        assert self.explainer is not None
        top = _top(request)
        async with self._looked_at(request) as looked:
            seen = self._only(*looked)
        thresholds = None if self.classifier.thresholds is None else self.classifier.thresholds.tolist()
        return _json(await self.explainer.explain(seen, min(top, DEFAULT_TOP), thresholds))

    async def read_health(self) -> Response:
        """Whether images are being answered."""
        trouble = self._batcher.trouble()
        if trouble is not None:
            raise RequestError(503, trouble, "if it lasts, start the server again")
        return _json({"status": "ok"})

    async def read_metrics(self) -> Response:
        """Requests by path and status, images, seconds, batches and the queue."""
        gauges = {
            "cnnctl_batches_total": ("counter", "Batches that the network has computed.", self._batcher.batches),
            "cnnctl_batched_images_total": ("counter", "Images in these batches.", self._batcher.images),
            "cnnctl_decoders_replaced_total": (
                "counter",
                "Processes that an image ended or held.",
                self._batcher.replaced,
            ),
            "cnnctl_queue_images": ("gauge", "Images that wait to be decoded.", self._batcher.waiting),
            "cnnctl_queue_limit_images": ("gauge", "Images that may wait.", self.limits.queue),
        }
        return Response(self._metrics.text(gauges), media_type=metrics.CONTENT_TYPE)

    @asynccontextmanager
    async def _looked_at(self, request: Request) -> AsyncIterator[tuple[list[Upload], list[Outcome]]]:
        """The images of a request and what became of them, within its time; their bytes are in hand meanwhile."""
        begun = request.scope.get("state", {}).get("begun")
        passed = 0.0 if begun is None else time.monotonic() - begun
        deadline = asyncio.get_running_loop().time() + self.limits.seconds - passed
        with self._purse.opened() as take:
            try:
                async with asyncio.timeout_at(deadline):
                    uploads = await read_uploads(request, self.limits, take)
            except TimeoutError:
                said = f"the request did not arrive within {self.limits.seconds:g} seconds"
                raise RequestError(408, said, headers={"connection": "close"}) from None
            try:
                async with asyncio.timeout_at(deadline):
                    outcomes = await self._batcher.answer([upload.content for upload in uploads])
            except TimeoutError:
                raise too_busy(f"there was no answer within {self.limits.seconds:g} seconds") from None
            except CnnctlError as error:
                logging.getLogger(__name__).error("%s", error)
                raise RequestError(503, "the network cannot be computed", "see the output of the server") from None
            answered = sum(isinstance(outcome, Seen) for outcome in outcomes)
            self._metrics.images["answered"] += answered
            self._metrics.images["refused"] += len(outcomes) - answered
            yield uploads, outcomes

    def _threshold(self, request: Request) -> float | None:
        """Up to which score classes are in the set of an image; None where no set is asked for."""
        text = request.query_params.get("coverage") if request.scope["query_string"] else None
        if text is None:
            return None
        if self.classifier.several:
            said = "prediction sets are for images with one label, and this run may give several"
            raise RequestError(422, said, "leave coverage out: the labels of an answer are those from a threshold on")
        if self._set_scores is None:
            raise RequestError(422, "this run has no scores for prediction sets", "leave coverage out")
        try:
            return self._set_scores.threshold(float(text))
        except (ValueError, UsageError):
            said = f"coverage is a number between 0 and 1; received: {text[:50]}"
            raise RequestError(422, said, "leave it out, or ?coverage=0.95") from None

    def _answer(self, upload: Upload, outcome: Outcome, top: int, threshold: float | None) -> Answer:
        if isinstance(outcome, UnusableError):
            return Answer(upload.name, None, outcome.reason)
        classes = self.classifier.classes
        thresholds = self.classifier.thresholds
        said = predicted(outcome.probabilities, classes, top, threshold, outcome.foreign, thresholds)
        return Answer(upload.name, said)

    def _insist_on_one(self, uploads: list[Upload], outcomes: list[Outcome]) -> None:
        """Raises:
        RequestError: no image could be read; for the reason that the first one could not.
        """
        if any(isinstance(outcome, Seen) for outcome in outcomes):
            return
        upload, error = uploads[0], outcomes[0]
        assert isinstance(error, UnusableError)
        said = f"{upload.name}: {error.message}" if upload.name else f"the image cannot be used: {error.message}"
        raise RequestError(error.status, said, error.hint, RETRY if error.status == 503 else None)

    def _only(self, uploads: list[Upload], outcomes: list[Outcome]) -> Seen:
        if len(uploads) != 1:
            raise RequestError(422, f"one image is expected; received: {len(uploads)}", "send them one by one")
        self._insist_on_one(uploads, outcomes)
        (only,) = outcomes
        assert isinstance(only, Seen)
        return only


def _top(request: Request) -> int:
    """How many classes are asked for."""
    if not request.scope["query_string"]:
        return DEFAULT_TOP
    text = request.query_params.get("top")
    if text is None:
        return DEFAULT_TOP
    if not (text.isascii() and text.isdecimal()) or not text.strip("0"):
        raise RequestError(422, f"top is a whole number from 1 on; received: {text[:50]}", "leave it out, or ?top=5")
    return int(text[-_LONGEST_NUMBER:]) if len(text.lstrip("0")) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER


def _json(value: Any) -> Response:
    return Response(json.dumps(value), media_type="application/json")

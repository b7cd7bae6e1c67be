"""Waiting images -> answers: each thread takes what is waiting, decodes it, and computes it as one batch.

Nothing waits for a batch to fill: an image that comes alone is computed alone, and under load batches form by
themselves. A thread takes few images where others are idle or where the files are large.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import MEGABYTE, Image, ImageError, decode, opencv
from cnnctl.inference.model import Classifier
from cnnctl.inference.stream import batch_size_for
from cnnctl.serving.errors import too_busy

_CHUNK_BYTES = 256_000
"""Bytes of image files that a thread takes at once; a single file may be larger."""

_PATIENCE = 5.0
"""Seconds in which the threads may finish what they are at when the batcher is closed."""


@dataclass(frozen=True)
class Seen:
    """One image, uint8 (height, width, channels) as the network got it, and its answer, float32 (classes,)."""

    pixels: Image
    probabilities: NDArray[np.float32]


Outcome = Seen | ImageError


class _Ticket:
    """The images of one request; complete once every place has its outcome."""

    def __init__(self, contents: Sequence[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self.contents = contents
        self.outcomes: list[Outcome | None] = [None] * len(contents)
        self.open = len(contents)
        self.future: asyncio.Future[list[Outcome]] = loop.create_future()


class Batcher:
    """Threads that answer images; a context manager, entered and used in one event loop's thread.

    The session of `classifier` should compute in a single thread. At most `most_waiting` images wait for a thread.
    """

    def __init__(self, classifier: Classifier, threads: int, most_waiting: int) -> None:
        self._classifier = classifier
        self._size = batch_size_for(classifier.spec)
        self._most = most_waiting
        self._waiting: deque[tuple[_Ticket, int]] = deque()
        self._changed = threading.Condition()
        self._idle = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{number}", daemon=True) for number in range(threads)
        ]
        self.batches = 0
        self.images = 0

    def __enter__(self) -> "Batcher":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(_PATIENCE)

    @property
    def waiting(self) -> int:
        """Images that no thread has taken yet."""
        return len(self._waiting)

    @property
    def is_alive(self) -> bool:
        """Whether every thread is at work or ready for it."""
        return all(thread.is_alive() for thread in self._threads)

    async def answer(self, contents: Sequence[bytes]) -> list[Outcome]:
        """The outcome of each image file, in their order; once it is cancelled, those that still wait are passed over.

        Raises:
            RequestError: 503, the queue is full.
            CnnctlError: the model cannot be used.
        """
        ticket = _Ticket(contents, asyncio.get_running_loop())
        with self._changed:
            if len(self._waiting) + len(contents) > self._most:
                live = [one for one in self._waiting if not one[0].future.done()]  # cancelled ones free their places
                self._waiting = deque(live)
            if len(self._waiting) + len(contents) > self._most:
                raise too_busy("too many images are waiting")
            self._waiting.extend((ticket, place) for place in range(len(contents)))
            self._changed.notify(len(contents))
        return await ticket.future

    def _work(self) -> None:
        opencv()  # the first request need not wait for its import
        while items := self._take():
            complete: list[_Ticket] = []
            try:
                self._compute(items)
            except Exception as error:  # whatever it is, the requests must hear of it
                tickets = {id(ticket): ticket for ticket, _ in items}.values()
                self._post([(ticket, error) for ticket in tickets])
                continue
            with self._changed:
                self.batches += 1
                self.images += len(items)
                for ticket, _ in items:
                    ticket.open -= 1
                    if not ticket.open:
                        complete.append(ticket)
            self._post([(ticket, None) for ticket in complete])

    def _take(self) -> list[tuple[_Ticket, int]]:
        """The next images for this thread; none at the end."""
        taken: list[tuple[_Ticket, int]] = []
        with self._changed:
            while not taken and not self._closed:
                self._idle += 1
                self._changed.wait_for(lambda: self._waiting or self._closed)
                self._idle -= 1
                share = min(self._size, -(-len(self._waiting) // (self._idle + 1)))
                size = 0
                while self._waiting and len(taken) < share:
                    ticket, place = self._waiting[0]
                    size += len(ticket.contents[place])
                    if taken and size > _CHUNK_BYTES:
                        break
                    self._waiting.popleft()
                    if not ticket.future.done():  # else nobody waits for it any more
                        taken.append((ticket, place))
        return taken

    def _compute(self, items: Sequence[tuple[_Ticket, int]]) -> None:
        good: list[tuple[_Ticket, int, Image]] = []
        for ticket, place in items:
            try:
                good.append((ticket, place, self._decode(ticket.contents[place])))
            except ImageError as error:
                ticket.outcomes[place] = error
        if good:
            rows = self._classifier.probabilities(np.stack([pixels for _, _, pixels in good]))
            for (ticket, place, pixels), row in zip(good, rows, strict=True):
                ticket.outcomes[place] = Seen(pixels, row)

    def _decode(self, content: bytes) -> Image:
        spec = self._classifier.spec
        if len(content) > spec.max_bytes:
            limit = f"{spec.max_bytes / MEGABYTE:g} MB"
            raise ImageError(f"the file is larger than {limit}", "data.image.max_megabytes raises the limit")
        return decode(content, spec)

    def _post(self, tickets: Sequence[tuple[_Ticket, Exception | None]]) -> None:
        """Hand tickets back to the event loop, all at once."""
        if tickets and not self._closed:
            tickets[0][0].future.get_loop().call_soon_threadsafe(_deliver, tickets)


def _deliver(tickets: Sequence[tuple[_Ticket, Exception | None]]) -> None:
    for ticket, error in tickets:
        if ticket.future.done():
            continue
        if error is not None:
            ticket.future.set_exception(error)
        else:
            ticket.future.set_result([outcome for outcome in ticket.outcomes if outcome is not None])

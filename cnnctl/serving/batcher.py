"""Waiting images -> answers: each thread takes what is waiting, has it decoded, and computes it as one batch.

Nothing waits for a batch to fill: an image that comes alone is computed alone, and under load batches form by
themselves. A thread takes few images where others are idle or where the files are large. Each has a process that
decodes for it. While an image holds one for long, the thread gives back the other images that it took, and there is
another thread in its stead.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image
from cnnctl.data.decoder.reading import MEGABYTE
from cnnctl.inference.model import Classifier
from cnnctl.inference.stream import batch_size_for
from cnnctl.inference.unknown import Foreignness
from cnnctl.serving.decoder import SLOW, Decoder, Process, UnusableError
from cnnctl.serving.errors import too_busy

_CHUNK_BYTES = 256_000
"""Bytes of image files that a thread takes at once; a single file may be larger."""

_PATIENCE = 5.0
"""Seconds in which the threads may finish what they are at when the batcher is closed."""

_SPARE_SECONDS = 20.0
"""How long a thread that stood in for another one is kept."""

_STALLED_SECONDS = 5.0


@dataclass(frozen=True)
class Seen:
    """One image, uint8 (height, width, channels) as the network got it, and its answer, float32 (classes,).

    `foreign` says how unlike the training images it is, where the classifier knows those.
    """

    pixels: Image
    probabilities: NDArray[np.float32]
    foreign: Foreignness | None = None


Outcome = Seen | UnusableError


class _Ticket:
    """The images of one request; complete once every place has its outcome."""

    def __init__(self, contents: Sequence[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self.contents = contents
        self.outcomes: list[Outcome | None] = [None] * len(contents)
        self.open = len(contents)
        self.future: asyncio.Future[list[Outcome]] = loop.create_future()


_Item = tuple[_Ticket, int]


class Batcher:
    """Threads that answer images; a context manager, entered and used in one event loop's thread.

    The session of `classifier` should compute in a single thread. At most `most_waiting` images wait for a thread, and
    an image is decoded for at most `seconds`. `process` is one that was started before, so as to be ready sooner.
    """

    def __init__(
        self,
        classifier: Classifier,
        threads: int,
        most_waiting: int,
        seconds: float = 30.0,
        process: Process | None = None,
    ) -> None:
        self._classifier = classifier
        self._size = batch_size_for(classifier.spec)
        self._wanted = threads
        self._early = process
        self._most = most_waiting
        self._seconds = seconds
        self._waiting: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._idle = 0
        self._held = 0  # threads whose process is at a slow image
        self._closed = False
        self._threads: dict[threading.Thread, Decoder] = {}
        self._ended_replaced = 0
        self._moved = 0.0  # when an image was last answered, or the first one came
        self.batches = 0
        self.images = 0

    def __enter__(self) -> "Batcher":
        with self._changed:
            for _ in range(self._wanted):
                self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
            threads = dict(self._threads)
        end = time.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        for thread, decoder in threads.items():
            decoder.close()
            thread.join(_PATIENCE)

    @property
    def waiting(self) -> int:
        """Images that no thread has taken yet."""
        return len(self._waiting)

    @property
    def replaced(self) -> int:
        """Processes that an image ended, or that were ended since an image held them too long."""
        with self._changed:
            return self._ended_replaced + sum(decoder.replaced for decoder in self._threads.values())

    def trouble(self) -> str | None:
        """Why images are not being answered; None where they are."""
        if getattr(self._classifier.session, "hangs", False):
            return "the network is still computing images whose time is over"
        with self._changed:
            if len(self._threads) < self._wanted:
                return "a thread that answers images has died"
            if not any(decoder.works for decoder in self._threads.values()):
                return "no process can be started that decodes images"
            if self._waiting and time.monotonic() - self._moved > _STALLED_SECONDS:
                return f"no image has been answered for {_STALLED_SECONDS:g} seconds"
        return None

    async def answer(self, contents: Sequence[bytes]) -> list[Outcome]:
        """The outcome of each image file, in their order; once it is cancelled, those that still wait are passed over.

        Raises:
            RequestError: 503, the queue is full, or there is no process that decodes.
            CnnctlError: the model cannot be used.
        """
        ticket = _Ticket(contents, asyncio.get_running_loop())
        with self._changed:
            if len(self._waiting) + len(contents) > self._most:
                live = [one for one in self._waiting if not one[0].future.done()]  # cancelled ones free their places
                self._waiting = deque(live)
            if len(self._waiting) + len(contents) > self._most:
                raise too_busy("too many images are waiting")
            if not self._waiting:
                self._moved = time.monotonic()
            self._waiting.extend((ticket, place) for place in range(len(contents)))
            self._changed.notify(len(contents))
            self._stand_in()
        return await ticket.future

    def _start(self) -> None:
        """One thread more, while `_changed` is held."""
        decoder = Decoder(self._classifier.spec, self._seconds, self._early)
        self._early = None
        thread = threading.Thread(target=self._work, args=(decoder,), name="batch", daemon=True)
        self._threads[thread] = decoder
        thread.start()

    def _stand_in(self) -> None:
        """Another thread where slow images hold some and none is idle, while `_changed` is held."""
        free = len(self._threads) - self._held
        if not self._idle and free < self._wanted and len(self._threads) < 3 * self._wanted + 2:
            self._start()

    def _work(self, decoder: Decoder) -> None:
        try:
            self._begin(decoder)
            while items := self._take():
                try:
                    self._compute(items, decoder)
                except Exception as error:  # whatever it is, the requests must hear of it
                    tickets = {id(ticket): ticket for ticket, _ in items}.values()  # but those that were given back
                    self._post([(ticket, error) for ticket in tickets])
                self._begin(decoder)  # where an image ended the process
        finally:
            decoder.end()
            with self._changed:
                self._threads.pop(threading.current_thread(), None)
                self._ended_replaced += decoder.replaced

    def _begin(self, decoder: Decoder) -> None:
        """Start the process where there is none: the next request need not wait for it."""
        try:
            decoder.start()
        except Exception:  # the next request tries it again, and hears of it
            return

    def _take(self) -> list[_Item]:
        """The next images for this thread; none at its end."""
        taken: list[_Item] = []
        with self._changed:
            while not taken and not self._closed:
                self._idle += 1
                come = self._changed.wait_for(lambda: self._waiting or self._closed, _SPARE_SECONDS)
                self._idle -= 1
                if not come:
                    if len(self._threads) - self._held > self._wanted:  # it stood in for another
                        del self._threads[threading.current_thread()]
                        return []
                    continue
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

    def _compute(self, items: list[_Item], decoder: Decoder) -> None:
        """Decode and answer images; `items` keeps those that this thread has still."""
        items[:] = sent = [item for item in items if not self._is_too_large(item)]
        sent = list(sent)
        decoded: list[tuple[_Item, Image]] = []
        decoding = decoder.decode(
            [ticket.contents[place] for ticket, place in sent], lambda at: not sent[at][0].future.done()
        )
        is_held = False
        try:
            for at, outcome in decoding:
                if outcome is SLOW:
                    is_held = True
                    self._answer(decoded)
                    done = {id(item) for item, _ in decoded}
                    decoded = []
                    self._hold([item for item in items if id(item) not in done and item is not sent[at]])
                    items[:] = [sent[at]]
                elif isinstance(outcome, UnusableError):
                    ticket, place = sent[at]
                    ticket.outcomes[place] = outcome
                    items.remove(sent[at])
                    self._settle([sent[at]])
                else:
                    decoded.append((sent[at], outcome))
        finally:
            decoding.close()
            if is_held:
                with self._changed:
                    self._held -= 1
        self._answer(decoded)

    def _hold(self, others: Sequence[_Item]) -> None:
        """This thread is with a slow image: give back the images behind it, and let another one take its place."""
        with self._changed:
            self._held += 1
            self._waiting.extendleft(reversed(others))
            self._changed.notify(len(others))
            self._stand_in()

    def _answer(self, decoded: Sequence[tuple[_Item, Image]]) -> None:
        """Compute images as one batch."""
        if not decoded:
            return
        rows = self._classifier.answers(np.stack([pixels for _, pixels in decoded]))
        for ((ticket, place), pixels), (row, foreign) in zip(decoded, rows, strict=True):
            ticket.outcomes[place] = Seen(pixels, row, foreign)
        self._settle([item for item, _ in decoded], batches=1)

    def _is_too_large(self, item: _Item) -> bool:
        """Refuse a file that is too large, before it is sent anywhere."""
        ticket, place = item
        most = self._classifier.spec.max_bytes
        if len(ticket.contents[place]) <= most:
            return False
        hint = "data.image.max_megabytes raises the limit"
        ticket.outcomes[place] = UnusableError(413, f"the file is larger than {most / MEGABYTE:g} MB", hint)
        self._settle([item])
        return True

    def _settle(self, items: Sequence[_Item], batches: int = 0) -> None:
        """These images have their outcomes: hand back the requests that are complete."""
        complete: list[_Ticket] = []
        with self._changed:
            self._moved = time.monotonic()
            self.batches += batches
            self.images += len(items)
            for ticket, _ in items:
                ticket.open -= 1
                if not ticket.open:
                    complete.append(ticket)
        self._post([(ticket, None) for ticket in complete])

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

"""Images that the processes of a training share: each decodes and keeps its part of the training images.

What the others find out about theirs, it is told: digests, ranges of values, and which images cannot be decoded.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.schema import PARTS
from cnnctl.data.batches import THE_DEAL, epoch_order, parts_of
from cnnctl.data.cache.decoded import Decoded, decode_images
from cnnctl.data.cache.decoding import Progress
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.data.split import TEST, TRAIN, VALIDATION

COMMON = 5000
"""Training images that every process keeps: what is computed of some images is computed of these."""

_NO_PART = -1
_FACTS = ("digests", "pixel_digests", "value_ranges")


@dataclass(frozen=True)
class Sharer:
    """One process among those that share the images; the only one keeps all of them.

    Attributes:
        seed: That of the config, which deals them.
        process: Which one it is, from 0.
        processes: How many there are.
        gather: Tells all of them something, and returns what they all tell, in their order.
    """

    seed: int
    process: int = 0
    processes: int = 1
    gather: Callable[[bytes], list[bytes]] = lambda own: [own]


@dataclass(frozen=True)
class Dealt:
    """The images of a catalog.

    Attributes:
        splits: (images,), the names of their splits.
        parts: int64 (images,), the part of each training image; that of the others is none.
        common: bool (images,), whether it is a training image that every process keeps.
    """

    splits: NDArray[np.object_]
    parts: NDArray[np.int64]
    common: NDArray[np.bool_]

    def kept_by(self, process: int, processes: int) -> NDArray[np.int64]:
        """The rows that a process keeps: all validation images, and the first one the test images, which it judges."""
        parts = parts_of(process, processes)
        kept = (self.parts >= parts.start) & (self.parts < parts.stop) | self.common | (self.splits == VALIDATION)
        return np.flatnonzero(kept | (self.splits == TEST) if process == 0 else kept)


def deal_out(splits: NDArray[np.object_], seed: int) -> Dealt:
    """Deal the training images of a catalog: as many into each part, or one more."""
    learned = np.flatnonzero(splits == TRAIN)
    learned = learned[epoch_order(len(learned), seed, THE_DEAL)]
    parts, common = np.full(len(splits), _NO_PART, np.int64), np.zeros(len(splits), np.bool_)
    parts[learned] = np.arange(len(learned)) % PARTS
    common[learned[:COMMON]] = True
    return Dealt(splits, parts, common)


def decode_share(
    paths: Sequence[str],
    spec: ImageSpec,
    where: str,
    progress: Progress,
    waiting: Callable[[], None],
    dealt: Dealt,
    sharer: Sharer,
) -> Decoded:
    """As `decode_images`, by all processes together; the pixels are those of the images that this one keeps.

    Raises:
        MachineError: the decoded images cannot be kept.
    """
    kept = dealt.kept_by(sharer.process, sharer.processes)
    own = decode_images([paths[row] for row in kept], spec, where, progress, waiting)
    whole = _spread(own, kept, len(paths))
    failures: dict[int, str] = {}
    for process, told in enumerate(sharer.gather(_packed(own))):
        rows = dealt.kept_by(process, sharer.processes)
        with np.load(io.BytesIO(told), allow_pickle=False) as facts:
            for name in _FACTS:
                getattr(whole, name)[rows] = facts[name]
            failures |= {int(rows[int(row)]): str(why) for row, why in json.loads(facts["failures"].tobytes()).items()}
    return replace(whole, failures=dict(sorted(failures.items())))


def _packed(own: Decoded) -> bytes:
    """What one process tells the others of its images."""
    failures = np.frombuffer(json.dumps(own.failures).encode(), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, failures=failures, **{name: getattr(own, name) for name in _FACTS})
    return packed.getvalue()


def _spread(own: Decoded, kept: NDArray[np.int64], count: int) -> Decoded:
    """What is known of some images as rows of all of them; the pixels stay as they are."""
    places = np.full(count, -1, np.int64)
    places[kept] = np.arange(len(kept))
    digests, pixel_digests, value_ranges = (
        np.zeros((count, *getattr(own, name).shape[1:]), np.uint8) for name in _FACTS
    )
    return Decoded(own.pixels, digests, pixel_digests, value_ranges, {}, own.entry, places)

"""What the stem of a network makes of the images: computed once, in the cache, for all epochs and all runs."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture.cost import images_at_once
from cnnctl.data.cache.features import features_of
from cnnctl.data.prepare import Prepared
from cnnctl.data.split import TRAIN, VALIDATION
from cnnctl.inference.model import open_session
from cnnctl.models.devices import FLOAT32
from cnnctl.models.onnx import stem_to_onnx
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.watcher import Watcher
from cnnctl.training.network import Network


def compute_features(
    network: Network,
    prepared: Prepared,
    watcher: Watcher,
    interrupts: Interrupts,
    wanted: Sequence[str] = (TRAIN, VALIDATION),
) -> NDArray[np.float32]:
    """The output of a network's stem for the images of the wanted splits, float32 (images of all splits, ...).

    Rows of other images may be zeros, and so may those of images that other processes keep.

    Raises:
        MachineError: the cache cannot keep them.
        Interrupt: a signal came in; what was computed is kept.
    """
    assert network.stem is not None
    pixels, shape = prepared.pixels, network.plan.frozen[-1].output_shape
    splits = [one.rows for name in wanted if (one := prepared.split(name)) is not None]
    waiting = partial(watcher.busy, "another process works on these images; waiting for it")
    key, kept = _key(network), network.stem.kept
    of_cache = (
        features_of(prepared.entry, key, len(pixels), shape, waiting) if key not in kept else nullcontext(kept[key])
    )
    with of_cache as features, interrupts.deferred():
        if not isinstance(features.values, np.memmap):
            kept[key] = features
        rows = np.concatenate(splits)
        missing = features.missing(rows[rows >= 0])
        size = images_at_once(network.plan.input_shape)
        compute = _in_batches(network, size)
        for start in range(0, len(missing), size):
            rows = missing[start : start + size]
            features.put(rows, compute(np.asarray(pixels[rows]))[: len(rows)])
            interrupts.check()
            watcher.progress("computing features", start + len(rows), len(missing))
        return features.values


def _in_batches(network: Network, size: int) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """The stem for batches of one size, so that what an image gives does not depend on how many there are."""
    stem = _stem(network)

    def compute(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        missing = size - len(pixels)
        whole = np.concatenate([pixels, np.repeat(pixels[:1], missing, axis=0)]) if missing else pixels
        return np.asarray(stem(whole), np.float32)

    return compute


def _by_onnx(network: Network) -> bool:
    """Whether ONNX Runtime computes them: in float32 on a processor it is twice as fast as what trains."""
    return network.device.kind == "cpu" and network.device.precision == FLOAT32


def _stem(network: Network) -> Callable[[NDArray[np.uint8]], Any]:
    assert network.stem is not None
    if not _by_onnx(network):
        predict: Callable[[NDArray[np.uint8]], Any] = network.stem.model.predict_on_batch
        return predict
    content = stem_to_onnx(network.model, network.plan).SerializeToString()
    session = open_session(Path("the stem"), content=content)
    return lambda pixels: session.run(None, {session.get_inputs()[0].name: pixels})[0]


def _key(network: Network) -> str:
    """A hash over all that decides the features of an image: layers, weights and how they are computed."""
    import keras
    import onnxruntime

    assert network.stem is not None
    layers = [(type(row.layer).__name__, repr(row.layer), row.output_shape) for row in network.plan.frozen]
    how: tuple[str, ...] = ("onnxruntime", onnxruntime.__version__)
    if not _by_onnx(network):
        how = (keras.backend.backend(), keras.__version__, network.device.kind, network.device.precision)
    facts = (network.stem.digest, network.scaling, layers[1:], layers[0][2], how)
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()

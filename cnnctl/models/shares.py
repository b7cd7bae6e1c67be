"""What devices that share each batch ask of a config and of its images."""

from collections.abc import Callable

import numpy as np

from cnnctl.config import Loaded
from cnnctl.config.schema import PARTS
from cnnctl.config.source import format_path
from cnnctl.data.prepare import Prepared
from cnnctl.data.split import TRAIN, VALIDATION
from cnnctl.errors import ConfigError, DataError, Problem
from cnnctl.models.devices import Device

_PATH = ("train", "batch_size")


def insist_on_shares(loaded: Loaded, prepared: Prepared, device: Device) -> None:
    """Raises:
    ConfigError: the devices cannot share a batch evenly.
    DataError: a split has fewer images than there are devices.
    """
    insist_on_even_batches(loaded, device.count, device.processes)
    _insist_on_a_batch(loaded, prepared)
    for name in (TRAIN, VALIDATION):
        split = prepared.split(name)
        if split is not None and len(split.rows) < device.total:
            raise _few_images(name, len(split.rows), device)


def _insist_on_a_batch(loaded: Loaded, prepared: Prepared) -> None:
    """Refuse parts that have too few images for one batch with as many of each."""
    learned, batch = prepared.split(TRAIN), loaded.need().train.batch_size
    if learned is None or learned.parts is None:
        return
    least = int(np.bincount(learned.parts, minlength=PARTS).min())
    if least * PARTS < batch:
        fits = least * PARTS
        hint = f"batch_size: {fits}, or data.keep: all" if fits else "data.keep: all"
        message = f"{len(learned.rows):,} training images in {PARTS} parts do not fill a batch of {batch}"
        raise DataError(message, hint)


def _few_images(split: str, images: int, device: Device) -> DataError:
    hint = _fewer(device.count, lambda count: count * device.processes <= images) or "use fewer processes"
    return DataError(f"{device.total} devices cannot share {images} {split} images", hint)


def insist_on_even_batches(loaded: Loaded, devices: int, processes: int) -> None:
    """Raises:
    ConfigError: some `devices` of each process cannot share a batch evenly; the nearest sizes are named.
    """
    batch, total = loaded.need().train.batch_size, devices * processes
    if batch % total == 0:
        return
    lower, higher = batch // total * total, -(-batch // total) * total
    sizes = " or ".join(f"batch_size: {size}" for size in (lower, higher) if size)
    fewer = _fewer(devices, lambda count: batch % (count * processes) == 0)
    hint = sizes if fewer is None else f"{sizes}, or {fewer}"
    message = f"{total} devices cannot share a batch evenly"
    raise ConfigError([Problem(message, format_path(_PATH), loaded.document.position(_PATH), str(batch), hint)])


def _fewer(devices: int, fits: Callable[[int], bool]) -> str | None:
    """The option that takes as many devices as fit, if fewer do."""
    found = next((count for count in range(devices - 1, 0, -1) if fits(count)), None)
    return None if found is None else f"--devices {found}"

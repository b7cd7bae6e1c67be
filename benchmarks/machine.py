"""The machine and the versions that a figure was seen on, for the heading of a report."""

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from cnnctl.models.devices import cpu_precision, processor_flags, processor_name
from cnnctl.system.cores import available_cores

PACKAGES = ("keras", "tensorflow", "jax", "onnxruntime", "opencv-python-headless", "numpy")


def describe() -> str:
    """A paragraph of Markdown."""
    precision, reason = cpu_precision(processor_flags())
    versions = []
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            versions.append(f"{name} {version(name)}")
    return (
        f"Seen on {processor_name()}, {available_cores()} cores, {platform.system()}; `precision: auto` is {precision} "
        f"there ({reason}). Python {platform.python_version()}, {', '.join(versions)}."
    )

"""The machine and the versions that a figure was seen on, for the heading of a report."""

import platform
from importlib.metadata import version

from cnnctl.models.devices import cpu_precision, processor_flags, processor_name
from cnnctl.system.cores import available_cores

PACKAGES = ("keras", "tensorflow", "jax", "onnxruntime", "opencv-python-headless", "numpy")


def describe() -> str:
    """A paragraph of Markdown."""
    precision, reason = cpu_precision(processor_flags())
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"Seen on {processor_name()}, {available_cores()} cores, {platform.system()}; `precision: auto` is {precision} "
        f"there ({reason}). Python {platform.python_version()}, {versions}."
    )

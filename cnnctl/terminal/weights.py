"""The pretrained networks, and the weights of one, as text or as JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnctl.formatting import printable, size
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table, print_text, say_values
from cnnctl.weights.download import file_hash, known_hash
from cnnctl.weights.find import Place, keras_models, locate
from cnnctl.weights.published import Network

_STATES = {"installed": "installed", "cached": "in Keras' cache", "missing": "not here"}


def print_networks(networks: Sequence[Network], as_json: bool) -> None:
    """Where the weights of each are, how large they are, and under which licence."""
    places = [locate(network) for network in networks]
    if as_json:
        found = [_plain(network, place) for network, place in zip(networks, places, strict=True)]
        print_json({"cache": str(keras_models()), "networks": found})
        return
    if say_values(*(network.name for network in networks)):
        return
    rows = [
        (network.name, _STATES[place.state], size(_size(network, place.path)), network.licence)
        for network, place in zip(networks, places, strict=True)
    ]
    print_table(("network", "weights", "size", "licence"), rows, (LEFT, LEFT, RIGHT, LEFT))
    print_text(f"\nKeras' cache is {printable(str(keras_models()))}\nget the weights of a network: cnnctl weights NAME")


def print_obtained(network: Network, path: Path, as_json: bool) -> None:
    """The file, its SHA-256, and what it was compared with."""
    sha256 = file_hash(path)
    if as_json:
        print_json({**_plain(network, locate(network)), "sha256": sha256})
        return
    if say_values(path):
        return
    compared = "nothing: Keras publishes no hash of this file"
    if network.package is not None:
        compared = "the SHA-256 that cnnctl knows"
    elif network.md5 is not None:
        compared = "the MD5 that Keras publishes"
    elif known_hash(network, path) is not None:
        compared = "the SHA-256 of its download; Keras publishes none"
    rows = [
        ("file", printable(str(path))),
        ("size", size(path.stat().st_size)),
        ("licence", network.licence),
        ("SHA-256", sha256),
        ("compared with", compared),
    ]
    print_table((network.name, ""), rows, (LEFT, LEFT), keep_first=True)


def _plain(network: Network, place: Place) -> dict[str, Any]:
    return {
        "name": network.name,
        "state": place.state,
        "path": None if place.path is None else str(place.path),
        "size": _size(network, place.path),
        "licence": network.licence,
        "address": network.address,
        "package": None if network.package is None else network.package.name,
    }


def _size(network: Network, path: Path | None) -> int:
    """Of the file that is here, or about that of the one that is not."""
    return network.size if path is None else path.stat().st_size

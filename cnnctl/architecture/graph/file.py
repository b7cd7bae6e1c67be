"""The graph inside a .keras file: Keras is not imported and no code of the file is run."""

import json
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnctl.architecture.graph.applications import graph_of
from cnnctl.architecture.graph.graph import Graph
from cnnctl.architecture.graph.read import MODELS, UnreadableGraphError, read_graph
from cnnctl.architecture.keras_weights import read_constants
from cnnctl.errors import RunError
from cnnctl.layers.backbone import APPLICATIONS
from cnnctl.layers.window import ImpossibleLayerError
from cnnctl.system.zip import read_member

_MOST_BYTES = 20_000_000
STRANGE = (AttributeError, TypeError, LookupError, ValueError, RecursionError, OverflowError)
"""What is raised over JSON that Keras never writes."""


def read_file_graph(path: Path) -> Graph:
    """The network of a .keras file, models within it laid out flat.

    Raises:
        RunError: it is no .keras file, or its network is not made of layers that a graph can have.
    """
    return graph_of_model(path, model_config(path))


def read_saved_backbone(path: Path) -> Graph:
    """The backbone of a Sequential model that cnnctl saved.

    Raises:
        RunError: it is no such file.
    """
    try:
        entries = model_config(path)["config"]["layers"]
        (entry,) = [one for one in entries if one["class_name"] in MODELS]
    except STRANGE:
        raise RunError(f"{path} does not begin with a backbone") from None
    return graph_of_model(path, entry, "layers/functional/")


def graph_of_model(path: Path, model: dict[str, Any], place: str = "") -> Graph:
    """The graph of the configuration of a model in a file; `place` is where its weights lie.

    Raises:
        RunError: it is not made of layers that a graph can have.
    """
    try:
        graph = read_graph(model, lambda inner: read_constants(path, inner), place)
        return _with_scaling(graph)
    except UnreadableGraphError as error:
        raise RunError(f"{path} {error}") from None
    except ImpossibleLayerError as error:
        raise RunError(f"{path}: {error.message} ({error.received})") from None
    except STRANGE as error:
        raise RunError(f"{path} is not a valid .keras file: {str(error)[:200]!r}") from None


def _with_scaling(graph: Graph) -> Graph:
    """A graph that has the weights of a known application scales as that one does."""
    shapes = graph.weight_shapes()
    if graph.scaling is None and graph.size[2] == 3:
        known = (graph_of(name) for name in APPLICATIONS)
        graph = replace(graph, scaling=next((one.scaling for one in known if one.weight_shapes() == shapes), None))
    return graph


def model_config(path: Path) -> dict[str, Any]:
    """What Keras says about the model in a .keras file.

    Raises:
        RunError: it is no .keras file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            model = json.loads(read_member(archive, "config.json", _MOST_BYTES))
    except FileNotFoundError:
        raise RunError(f"there is no file {path}") from None
    except RecursionError:
        raise RunError(f"{path} is not a .keras file: its config.json is nested too deep") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, LookupError, ValueError, RuntimeError) as error:
        raise RunError(f"{path} is not a .keras file: {error}") from None
    if not isinstance(model, dict):
        raise RunError(f"{path} is not a .keras file: its config.json holds no model")
    return model

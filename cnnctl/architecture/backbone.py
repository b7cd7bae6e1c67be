"""Backbones with their graphs: those of the package, or read from a .keras file."""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from cnnctl.architecture.graph import Graph, NodeStep
from cnnctl.architecture.graph.applications import graph_of
from cnnctl.architecture.graph.file import read_file_graph
from cnnctl.errors import RunError
from cnnctl.layers.backbone import Backbone
from cnnctl.layers.notation import Shape, format_shape
from cnnctl.layers.window import ImpossibleLayerError, Span, State, Step

_CHANNELS = ("data", "image", "channels")


class ResolvedBackbone(Backbone):
    """A backbone whose graph is known."""

    kind = Backbone.kind
    family = Backbone.family

    _graph: Graph = PrivateAttr()

    @staticmethod
    def of(layer: Backbone, graph: Graph) -> "ResolvedBackbone":
        """A backbone with its graph."""
        made = ResolvedBackbone.model_construct(**{name: getattr(layer, name) for name in Backbone.model_fields})
        made._graph = graph
        return made

    @property
    def graph(self) -> Graph:
        return self._graph

    @property
    def function(self) -> str:
        return self._graph.nodes[-1].layer.function

    def inside(self, state: State) -> tuple[NodeStep, ...]:
        """What its nodes make of an image; untrained ones have fixed weights alone.

        Raises:
            ImpossibleLayerError: it does not take such images.
        """
        self._insist_on_size(state.shape)
        return self._graph.run(state)

    def apply(self, state: State) -> Step:
        steps = [one.step for one in self.inside(state)]
        trainable, fixed = sum(one.trainable for one in steps), sum(one.fixed for one in steps)
        step = Step(steps[-1].state, trainable, fixed, sum(one.multiply_adds for one in steps))
        return step.learning(self.trainable)

    def formulas(self, shape: Shape) -> list[str]:
        step = self.apply(State(shape))
        return [f"parameters: the sum over {len(self._graph.nodes)} layers = {step.trainable + step.fixed:,}"]

    def input_span(self, axis: int, span: Span, size: int) -> Span:
        return self._graph.input_span(axis, span, size)

    @cached_property
    def _own_weights(self) -> dict[str, tuple[Shape, ...]]:
        return self._graph.weight_shapes()

    def _insist_on_size(self, shape: Shape) -> None:
        name, least, channels = self._graph.name, self._graph.least, self._graph.size[2]
        if len(shape) != 3 or shape[2] != channels or channels != 3:
            message = f"{name} takes images of {channels} channels" if channels != 3 else "a backbone takes RGB images"
            mend = "use a backbone that takes RGB images" if channels != 3 else "set data.image.channels to 3"
            raise ImpossibleLayerError(
                message, f"input {format_shape(shape)}", mend, _CHANNELS if channels == 3 else None
            )
        if min(shape[:2]) < least:
            message = f"the images are too small for {name}"
            raise ImpossibleLayerError(message, f"input {format_shape(shape)}", "make the images at least {least}")
        if None in self._graph.size or shape == self._graph.size:
            return
        if self._graph.weight_shapes(shape) != self._own_weights:
            made_for = "x".join(map(str, self._graph.size[:2]))
            raise ImpossibleLayerError(
                f"{name} takes images of one size", f"input {format_shape(shape[:2])}", f"set data.image to {made_for}"
            )


def resolve(layer: Backbone) -> ResolvedBackbone:
    """A backbone with its graph.

    Raises:
        ImpossibleLayerError: its file cannot be read, or holds no network that a backbone can be.
    """
    if isinstance(layer, ResolvedBackbone):
        return layer
    if layer.application is not None:
        return ResolvedBackbone.of(layer, graph_of(layer.application))
    assert layer.file is not None
    try:
        return ResolvedBackbone.of(layer, graph_of_file(Path(layer.file)))
    except RunError as error:
        hint = error.hint or "use a .keras file with a network of stock Keras layers"
        raise ImpossibleLayerError(error.message, f"file={layer.file}", hint, "file") from None


def graph_of_file(path: Path) -> Graph:
    """The network of a .keras file.

    Raises:
        RunError: it is no .keras file, or its network is not made of layers that a graph can have.
    """
    try:
        stat = path.stat()
    except OSError:
        raise RunError(f"there is no file {path}") from None
    return _graph_of_file(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _graph_of_file(path: Path, *_: Any) -> Graph:
    return read_file_graph(path)

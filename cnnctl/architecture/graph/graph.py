"""The graph: its nodes in order, and what they make of an image."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cnnctl.architecture.graph.nodes import Merge
from cnnctl.architecture.scaling import Scaling
from cnnctl.layers.base import BaseLayer
from cnnctl.layers.notation import Shape, format_shape
from cnnctl.layers.window import ImpossibleLayerError, Span, State, Step

IMAGE = -1
"""The number of the image among the inputs of nodes."""

MAX_NODES = 5000
_MOST_VALUES = 2**31
"""Values of one image in one node, and weights of the whole graph."""


@dataclass(frozen=True)
class Node:
    """A layer of a graph under its name in Keras; `inputs` are the numbers of earlier nodes, or IMAGE."""

    name: str
    layer: BaseLayer
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class NodeStep:
    """A node, the shapes that flow into it, and what it makes of them."""

    node: Node
    shapes: tuple[Shape, ...]
    step: Step


@dataclass(frozen=True)
class Graph:
    """A network from an image to the output of its last node.

    Attributes:
        name: What Keras calls it.
        nodes: In an order in which each comes after its inputs.
        scaling: What must be done to pixels from 0 to 255 before they flow in; None where nobody knows.
        least: The smallest height and width of images that it takes.
        size: (height, width, channels) that it was made for; a side that may be any is None.
        places: Where the weights of each node lie in the model.weights.h5 of the file that it was read from.
    """

    name: str
    nodes: tuple[Node, ...]
    scaling: Scaling | None
    least: int = 1
    size: tuple[int | None, int | None, int] = (None, None, 3)
    places: Mapping[str, str] = field(default_factory=dict, compare=False)

    def run(self, state: State) -> tuple[NodeStep, ...]:
        """What every node makes of an image.

        Raises:
            ImpossibleLayerError: the image does not fit.
        """
        made: list[NodeStep] = []
        states: dict[int, State] = {IMAGE: state}
        for number, node in enumerate(self.nodes):
            inputs = [states[one] for one in node.inputs]
            try:
                step = node.layer.merge(inputs) if isinstance(node.layer, Merge) else node.layer.apply(inputs[0])
            except ImpossibleLayerError as error:
                raise self._named(node, error) from None
            if math.prod(step.state.shape) > _MOST_VALUES or step.trainable > _MOST_VALUES:
                message = f"{node.name} is too large"
                raise ImpossibleLayerError(message, f"output {format_shape(step.state.shape)}", "use a smaller network")
            states[number] = step.state
            made.append(NodeStep(node, tuple(one.shape for one in inputs), step))
        return tuple(made)

    def weight_shapes(self, shape: Shape | None = None) -> dict[str, tuple[Shape, ...]]:
        """The shapes of the weights of every node that has some, by its name and in Keras' order."""
        steps = self.run(State(shape or self._usual_shape))
        found = {one.node.name: one.node.layer.weight_shapes(one.shapes[0]) for one in steps}
        return {name: shapes for name, shapes in found.items() if shapes}

    @cached_property
    def _usual_shape(self) -> tuple[int, int, int]:
        height, width, channels = self.size
        return height or 224, width or 224, channels

    def input_span(self, axis: int, span: Span, size: int) -> Span:
        """What it needs of an image of `size` along an axis for a span of its output, padding included."""
        sides = [self._usual_shape[0], self._usual_shape[1]]
        sides[axis] = size
        spans: dict[int, Span] = {len(self.nodes) - 1: span}
        for number, one in reversed(list(enumerate(self.run(State((*sides, self.size[2])))))):
            if number not in spans:
                continue
            for source, shape in zip(one.node.inputs, one.shapes, strict=True):
                needed = (0, shape[axis] if len(shape) == 3 else 1)
                if one.step.state.field is not None:
                    begin, end = one.node.layer.input_span(axis, spans[number], shape[axis])
                    needed = (max(begin, 0), min(end, shape[axis])) if source != IMAGE else (begin, end)
                before = spans.get(source, needed)
                spans[source] = (min(before[0], needed[0]), max(before[1], needed[1]))
        return spans.get(IMAGE, (0, size))

    def _named(self, node: Node, error: ImpossibleLayerError) -> ImpossibleLayerError:
        """An error of a node as one of the whole graph, whose lines nobody can edit."""
        fits = "{least}" in error.hint
        hint = "make the images at least {least}" if fits else "use another network"
        return ImpossibleLayerError(f"{self.name}, {node.name}: {error.message}", error.received, hint)

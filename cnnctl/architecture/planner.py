"""The model section and the input's shape -> a `Plan`, with the layers that make it impossible."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cnnctl.architecture.plan import LayerPath, LayerPlan, Plan, PlanProblem
from cnnctl.config import Config
from cnnctl.errors import RunError
from cnnctl.layers import AnyLayer, RealLayer, Repeat
from cnnctl.layers.backbone import Backbone
from cnnctl.layers.dense import need_vector
from cnnctl.layers.notation import Shape
from cnnctl.layers.output import SOFTMAX, OutputSettings
from cnnctl.layers.window import ImpossibleLayerError, State, Step

if TYPE_CHECKING:  # they take a tenth of the time of a summary, and few networks have a backbone
    from cnnctl.architecture.graph import Graph, NodeStep


def plan_of(config: Config, classes: int, place: object, saved: Path | None = None) -> Plan:
    """The plan of a config that trained before.

    Args:
        config: The config.
        classes: How many there are.
        place: Where it stands, for the message.
        saved: The model.keras beside it, if any. A run keeps its own copy of the backbone of a file, which may be gone.

    Raises:
        RunError: it has a layer that cannot be.
    """
    image = config.data.image
    layers = list(config.model)
    first = layers[0]
    if isinstance(first, Backbone) and first.file is not None and saved is not None and saved.is_file():
        from cnnctl.architecture.backbone import ResolvedBackbone
        from cnnctl.architecture.graph.file import read_saved_backbone

        layers[0] = ResolvedBackbone.of(first, read_saved_backbone(saved))
    plan = make_plan(layers, (image.height, image.width, image.channels), classes, config.output)
    if plan.problems:
        one = plan.problems[0]
        raise RunError(f"{place} has an impossible network: {one.message} ({one.received})", "train the run again")
    return plan


def unroll(layers: Sequence[AnyLayer], path: LayerPath = ("model",)) -> Iterator[tuple[LayerPath, RealLayer]]:
    """The layers with every `repeat` written out, each with its place in the config."""
    for index, layer in enumerate(layers):
        here = (*path, index)
        if isinstance(layer, Repeat):
            for _ in range(layer.times):
                yield from unroll(layer.layers, (*here, "repeat", "layers"))
        else:
            yield here, layer


def count_unrolled(layers: Sequence[AnyLayer]) -> int:
    """How many layers `unroll` yields, without yielding them."""
    return sum(layer.times * count_unrolled(layer.layers) if isinstance(layer, Repeat) else 1 for layer in layers)


MAX_LAYERS = 2000
OUTPUT: LayerPath = ("output",)


def make_plan(
    layers: Sequence[AnyLayer],
    input_shape: tuple[int, int, int],
    classes: int | None,
    output: OutputSettings = SOFTMAX,
) -> Plan:
    """Work out every layer of a network for images of (height, width, channels).

    `output` is the appended layer; without `classes` there is none. An impossible layer is reported in
    `problems` and taken as absent, so that those after it are looked at too.

    Example: `make_plan(config.model, (32, 32, 3), classes=10).total_params`
    """
    if (count := count_unrolled(layers)) > MAX_LAYERS:
        message, hint = f"expected at most {MAX_LAYERS:,} layers", "lower the times of a repeat"
        return Plan(input_shape, (), (PlanProblem(("model",), message, f"{count:,} layers", hint),))
    places = list(unroll(layers))
    if classes is not None:
        places.append((OUTPUT, output.layer(classes)))
    return _Planner(places, input_shape).plan()


def graph_rows(graph: "Graph", input_shape: Shape, path: LayerPath = ()) -> tuple[LayerPlan, ...]:
    """The nodes of a graph as rows.

    Raises:
        ImpossibleLayerError: it does not take such images.
    """
    return tuple(_row(one, graph, path) for one in graph.run(State(input_shape)))


def _row(one: "NodeStep", graph: "Graph", path: LayerPath, is_fixed: bool = False) -> LayerPlan:
    step, node = one.step.learning(not is_fixed), one.node
    return LayerPlan(
        node.name,
        node.layer,
        path,
        one.shapes[0],
        step.state.shape,
        step.trainable,
        step.fixed,
        step.multiply_adds,
        step.state.field,
        step.lost,
        inputs=tuple(graph.nodes[number].name if number >= 0 else "image" for number in node.inputs),
    )


class _Planner:
    """Folds the layers of a network over the shape of an image."""

    def __init__(self, places: Sequence[tuple[LayerPath, RealLayer]], input_shape: tuple[int, int, int]) -> None:
        self._places, self._input_shape = list(places), input_shape
        self._rows: list[LayerPlan] = []
        self._problems: list[PlanProblem] = []
        self._broken: set[LayerPath] = set()

    def plan(self) -> Plan:
        named: Counter[str] = Counter()
        state = State(self._input_shape)
        for number, (path, layer) in enumerate(self._places):
            try:
                known = self._resolved(number, path, layer)
                step = _take_step(path, known, state)
                self._insist_on_images(known)
                inner = self._inner(path, known, state)
            except ImpossibleLayerError as impossible:
                self._report(path, layer, impossible)
                continue
            name = f"{known.row_name}_{named[known.row_name]}" if named[known.row_name] else known.row_name
            named[known.row_name] += 1
            counts = (step.trainable, step.fixed, step.multiply_adds)
            after = step.state
            row = LayerPlan(name, known, path, state.shape, after.shape, *counts, after.field, step.lost, inner)
            self._rows.append(row)
            state = after
        return Plan(self._input_shape, tuple(self._rows), tuple(self._problems))

    def _resolved(self, number: int, path: LayerPath, layer: RealLayer) -> RealLayer:
        """A layer that knows all that it needs to make something of a shape."""
        if layer.must_be_first and (number > 0 or len(path) > 2):
            what = "a backbone cannot be repeated" if len(path) > 2 else "a backbone must be the first layer"
            raise ImpossibleLayerError(what, f"layer {number + 1} of the network", "move it to the top of model")
        if not isinstance(layer, Backbone):
            return layer
        from cnnctl.architecture.backbone import resolve

        known = resolve(layer)
        self._places[number] = (path, known)
        return known

    def _insist_on_images(self, layer: RealLayer) -> None:
        """Refuse a layer whose first weights are made of images after one that changes what flows into it."""
        before = next((row.name for row in self._rows if row.params), None)
        if layer.begins_with_images and before is not None:
            message, mend = "whitening is for the first layer with weights", "choose another kernel_initializer"
            raise ImpossibleLayerError(message, f"{before} before it has weights", mend, "kernel_initializer")

    def _inner(self, path: LayerPath, layer: RealLayer, state: State) -> tuple[LayerPlan, ...]:
        if not isinstance(layer, Backbone):
            return ()
        from cnnctl.architecture.backbone import ResolvedBackbone

        assert isinstance(layer, ResolvedBackbone)
        fixed = not layer.trainable
        return tuple(_row(one, layer.graph, path, fixed) for one in layer.inside(state))

    def _report(self, path: LayerPath, layer: RealLayer, impossible: ImpossibleLayerError) -> None:
        """Keep a problem; a layer of a repeat has one for all of its repetitions."""
        if path not in self._broken and not (path == OUTPUT and self._problems):
            last = max(number for number, (other, _) in enumerate(self._places) if other == path)  # of its repetitions
            before = [layer for _, layer in self._places[: last + 1]]
            hint = _with_least_size(impossible, before, self._input_shape)
            key = impossible.key
            blamed = key if isinstance(key, tuple) else (*path, layer.kind, key) if key else path
            self._problems.append(PlanProblem(blamed, impossible.message, impossible.received, hint))
        self._broken.add(path)


def _take_step(path: LayerPath, layer: RealLayer, state: State) -> Step:
    """What a layer makes of a state; the output layer has no line in the config that a message could name."""
    if path == OUTPUT:
        need_vector(state.shape, "the output layer that is appended", "as the last layer")
    return layer.apply(state)


def _with_least_size(
    impossible: ImpossibleLayerError, layers: Sequence[RealLayer], input_shape: tuple[int, int, int]
) -> str:
    """The hint, with the smallest images that would do when it is the size that is at fault."""
    if "{least}" not in impossible.hint:
        return impossible.hint
    most, channels = 8192, input_shape[2]
    heights, widths = (range(side, most + 1) for side in input_shape[:2])
    above = bisect_left(heights, True, key=lambda height: _fits(layers, (height, most, channels)))
    left = bisect_left(widths, True, key=lambda width: _fits(layers, (most, width, channels)))
    if above == len(heights) or left == len(widths):
        shorter = impossible.hint.replace(", or make the images at least {least}", "")
        return shorter.replace("at least {least}", "larger")
    return impossible.hint.replace("{least}", f"{heights[above]}x{widths[left]}")


def _fits(layers: Sequence[RealLayer], input_shape: Shape) -> bool:
    state = State(input_shape)
    try:
        for layer in layers:
            state = layer.apply(state).state
    except ImpossibleLayerError:
        return False
    return True


def with_trained_backbone(plan: Plan) -> Plan:
    """The plan of a network in a training that changes its backbone."""
    backbone = plan.backbone
    assert backbone is not None
    from cnnctl.architecture.backbone import ResolvedBackbone

    trained = ResolvedBackbone.of(backbone.model_copy(update={"trainable": True}), backbone.graph)
    layers = [(row.path, cast("RealLayer", row.layer)) for row in plan.layers]
    places: list[tuple[LayerPath, RealLayer]] = [(layers[0][0], trained), *layers[1:]]
    return _Planner(places, plan.input_shape).plan()

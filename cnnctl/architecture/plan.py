"""The model section and the input's shape -> a tuple of `LayerPlan`, or the layer that makes it impossible.

Shapes are without the batch dimension: (height, width, channels) or (features,). Every number agrees with Keras'
own (tests/architecture/test_against_keras.py); models/build.py asserts it again on each network it builds.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnctl.config import Config
from cnnctl.errors import RunError
from cnnctl.layers import AnyLayer, RealLayer, Repeat
from cnnctl.layers.dense import Dense, need_vector
from cnnctl.layers.notation import NO_SIDES, Shape
from cnnctl.layers.window import ImpossibleLayerError, State, Step
from cnnctl.settings import Sides

LayerPath = tuple[str | int, ...]


@dataclass(frozen=True)
class LayerPlan:
    """One row of the network.

    Attributes:
        name: Keras' style of names: the kind, numbered from the second on.
        layer: Its settings.
        path: Where it stands in the config: ("model", 3) and so on; ("output",) for the appended one.
        input_shape: Without the batch dimension.
        output_shape: Without the batch dimension.
        trainable_params: Weights that training changes.
        non_trainable_params: Weights that it does not (moving averages).
        multiply_adds: Multiplications with addition for one image; convolutions and dense layers alone count.
        receptive_field: (height, width) of the input pixels that one output value can see; None for the whole image.
        lost: (rows, columns) of its input that no window reaches.
    """

    name: str
    layer: RealLayer
    path: LayerPath
    input_shape: Shape
    output_shape: Shape
    trainable_params: int
    non_trainable_params: int
    multiply_adds: int
    receptive_field: tuple[int, int] | None
    lost: tuple[int, int] = (0, 0)

    @property
    def kind(self) -> str:
        """The layer's word in the config."""
        return self.layer.kind

    @property
    def zeros(self) -> Sides:
        """Explicit zeros, ((top, bottom), (left, right)), that go around the input of a convolution."""
        return self.layer.window.zeros if self.layer.window is not None else NO_SIDES

    @property
    def params(self) -> int:
        """All of its weights."""
        return self.trainable_params + self.non_trainable_params

    def formulas(self) -> list[str]:
        """How its output and its parameters come about, a line each."""
        return self.layer.formulas(self.input_shape)


@dataclass(frozen=True)
class PlanProblem:
    """A layer that cannot be: `path` leads to the key to blame; the other fields are as in errors.Problem."""

    path: LayerPath
    message: str
    received: str
    hint: str


@dataclass(frozen=True)
class Plan:
    """A whole network for images of (height, width, channels), the appended output layer last.

    `problems` are the impossible layers, which `layers` leaves out.
    """

    input_shape: tuple[int, int, int]
    layers: tuple[LayerPlan, ...]
    problems: tuple[PlanProblem, ...] = ()

    @property
    def total_params(self) -> int:
        return sum(layer.params for layer in self.layers)

    @property
    def trainable_params(self) -> int:
        return sum(layer.trainable_params for layer in self.layers)

    @property
    def non_trainable_params(self) -> int:
        return sum(layer.non_trainable_params for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds for layer in self.layers)


def plan_of(config: Config, classes: int, place: object) -> Plan:
    """The plan of a config that trained before; `place` is where it stands, for the message.

    Raises:
        RunError: it has a layer that cannot be.
    """
    image = config.data.image
    plan = make_plan(config.model, (image.height, image.width, image.channels), classes, config.output)
    if plan.problems:
        one = plan.problems[0]
        raise RunError(f"{place} has an impossible network: {one.message} ({one.received})", "train the run again")
    return plan


def output_layer(classes: int, output: str) -> Dense:
    """The layer that is appended: Dense(classes, softmax), or Dense(1, sigmoid)."""
    if output == "sigmoid":
        return Dense(units=1, activation="sigmoid")
    return Dense(units=classes, activation="softmax")


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
    layers: Sequence[AnyLayer], input_shape: tuple[int, int, int], classes: int | None, output: str = "softmax"
) -> Plan:
    """Work out every layer of a network for images of (height, width, channels).

    `output` is softmax or sigmoid; without `classes` there is no output layer. An impossible layer is reported in
    `problems` and taken as absent, so that those after it are looked at too.

    Example: `make_plan(config.model, (32, 32, 3), classes=10).total_params`
    """
    if (count := count_unrolled(layers)) > MAX_LAYERS:
        message, hint = f"expected at most {MAX_LAYERS:,} layers", "lower the times of a repeat"
        return Plan(input_shape, (), (PlanProblem(("model",), message, f"{count:,} layers", hint),))
    named: Counter[str] = Counter()
    rows: list[LayerPlan] = []
    problems: list[PlanProblem] = []
    broken: set[LayerPath] = set()
    state = State(input_shape)
    places = list(unroll(layers))
    if classes is not None:
        places.append((OUTPUT, output_layer(classes, output)))

    for path, layer in places:
        name = f"{layer.kind}_{named[layer.kind]}" if named[layer.kind] else layer.kind
        try:
            step = _take_step(path, layer, state)
        except ImpossibleLayerError as impossible:
            if path not in broken and not (path == OUTPUT and problems):
                last = max(number for number, (other, _) in enumerate(places) if other == path)  # of its repetitions
                hint = _with_least_size(impossible, [layer for _, layer in places[: last + 1]], input_shape)
                blamed = (*path, layer.kind, impossible.key) if impossible.key else path
                problems.append(PlanProblem(blamed, impossible.message, impossible.received, hint))
            broken.add(path)
            continue
        named[layer.kind] += 1
        counts = (step.trainable, step.fixed, step.multiply_adds)
        after = step.state
        rows.append(LayerPlan(name, layer, path, state.shape, after.shape, *counts, after.field, step.lost))
        state = after
    return Plan(input_shape, tuple(rows), tuple(problems))


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
        return impossible.hint.replace(", or make the images at least {least}", "")
    return impossible.hint.replace("{least}", f"{heights[above]}x{widths[left]}")


def _fits(layers: Sequence[RealLayer], input_shape: Shape) -> bool:
    state = State(input_shape)
    try:
        for layer in layers:
            state = layer.apply(state).state
    except ImpossibleLayerError:
        return False
    return True

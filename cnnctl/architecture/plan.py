"""The model section and the input's shape -> a tuple of `LayerPlan`, or the layer that makes it impossible.

Shapes are without the batch dimension: (height, width, channels) or (features,). Every number agrees with Keras'
own (tests/architecture/test_against_keras.py); training/network.py asserts it again on each network it builds.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from cnnctl.architecture import arithmetic
from cnnctl.config import Config
from cnnctl.config import layers as kinds
from cnnctl.config.layers import AnyLayer, RealLayer, Repeat
from cnnctl.config.types import Sides
from cnnctl.errors import RunError

Shape = tuple[int, ...]
LayerPath = tuple[str | int, ...]

NO_SIDES: Sides = ((0, 0), (0, 0))


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
        zeros: Explicit zeros, ((top, bottom), (left, right)), that go around the input of a convolution.
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
    zeros: Sides = NO_SIDES
    lost: tuple[int, int] = (0, 0)

    @property
    def kind(self) -> str:
        """The layer's word in the config."""
        return self.layer.kind

    @property
    def params(self) -> int:
        """All of its weights."""
        return self.trainable_params + self.non_trainable_params


@dataclass(frozen=True)
class PlanProblem:
    """A layer that cannot be: `path` leads to the key to blame; the other fields are as in errors.Problem."""

    path: LayerPath
    message: str
    received: str
    hint: str


@dataclass(frozen=True)
class Plan:
    """A whole network, the appended output layer last.

    Attributes:
        input_shape: (height, width, channels) of the images.
        layers: The possible layers, in order.
        problems: The impossible ones; where there are any, `layers` leaves them out.
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


class _ImpossibleLayerError(Exception):
    """Raised where a layer does not fit its input: message, the arithmetic, the mend, and the key to blame."""

    def __init__(self, message: str, received: str, hint: str, key: str | None = None) -> None:
        super().__init__(message)
        self.message, self.received, self.hint, self.key = message, received, hint, key


@dataclass(frozen=True)
class _State:
    """What flows between layers: the shape, and the receptive field and jump of each axis (None: the whole image)."""

    shape: Shape
    field: tuple[int, int] | None = (1, 1)
    jump: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class _Step:
    """What a layer makes of a state."""

    state: _State
    trainable: int = 0
    fixed: int = 0
    multiply_adds: int = 0
    zeros: Sides = NO_SIDES
    lost: tuple[int, int] = (0, 0)


def plan_of(config: Config, classes: int, place: object) -> Plan:
    """The plan of a config that trained before.

    Args:
        config: The config.
        classes: How many there are.
        place: Where it stands, for the message.

    Raises:
        RunError: it has a layer that cannot be.
    """
    image = config.data.image
    plan = make_plan(config.model, (image.height, image.width, image.channels), classes, config.output)
    if plan.problems:
        one = plan.problems[0]
        raise RunError(f"{place}: {one.message} ({one.received})", "train the run again")
    return plan


def output_layer(classes: int, output: str) -> kinds.Dense:
    """The layer that is appended: Dense(classes, softmax), or Dense(1, sigmoid)."""
    if output == "sigmoid":
        return kinds.Dense(units=1, activation="sigmoid")
    return kinds.Dense(units=classes, activation="softmax")


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


def make_plan(
    layers: Sequence[AnyLayer],
    input_shape: tuple[int, int, int],
    classes: int | None,
    output: str = "softmax",
) -> Plan:
    """Work out every layer of a network.

    Args:
        layers: The model section.
        input_shape: (height, width, channels) of the images.
        classes: Number of classes; None leaves the output layer out.
        output: `softmax` or `sigmoid`.

    Returns:
        The plan. An impossible layer is reported in `problems` and taken as absent, so that those after it are
        looked at too.

    Example: `make_plan(config.model, (32, 32, 3), classes=10).total_params`
    """
    if (count := count_unrolled(layers)) > MAX_LAYERS:
        message, hint = f"expected at most {MAX_LAYERS:,} layers", "lower the times of a repeat"
        return Plan(input_shape, (), (PlanProblem(("model",), message, f"{count:,} layers", hint),))
    named: Counter[str] = Counter()
    rows: list[LayerPlan] = []
    problems: list[PlanProblem] = []
    broken: set[LayerPath] = set()
    state = _State(input_shape)
    steps = list(unroll(layers))
    if classes is not None:
        steps.append((("output",), output_layer(classes, output)))
    for path, layer in steps:
        name = f"{layer.kind}_{named[layer.kind]}" if named[layer.kind] else layer.kind
        try:
            step = _step(layer, state, is_output=path == ("output",))
        except _ImpossibleLayerError as impossible:
            if path not in broken and not (path == ("output",) and problems):
                last = max(number for number, (other, _) in enumerate(steps) if other == path)  # of its repetitions
                hint = _with_least_size(impossible, [layer for _, layer in steps[: last + 1]], input_shape)
                blamed = (*path, layer.kind, impossible.key) if impossible.key else path
                problems.append(PlanProblem(blamed, impossible.message, impossible.received, hint))
            broken.add(path)
            continue
        named[layer.kind] += 1
        rows.append(
            LayerPlan(
                name,
                layer,
                path,
                state.shape,
                step.state.shape,
                step.trainable,
                step.fixed,
                step.multiply_adds,
                step.state.field,
                step.zeros,
                step.lost,
            )
        )
        state = step.state
    return Plan(input_shape, tuple(rows), tuple(problems))


def _with_least_size(
    impossible: _ImpossibleLayerError, layers: Sequence[RealLayer], input_shape: tuple[int, int, int]
) -> str:
    """The hint, with the smallest images that would do when it is the size that is at fault."""
    if "{least}" not in impossible.hint:
        return impossible.hint
    sides = []
    for axis in (0, 1):
        shape = [8192, 8192]
        fits = False
        low, high = input_shape[axis], 8192
        while low <= high:
            middle = (low + high) // 2
            shape[axis] = middle
            if _fits(layers, (shape[0], shape[1], input_shape[2])):
                fits, high = True, middle - 1
            else:
                low = middle + 1
        if not fits:
            return impossible.hint.replace(", or make the images at least {least}", "")
        sides.append(low)
    return impossible.hint.replace("{least}", f"{sides[0]}x{sides[1]}")


def _fits(layers: Sequence[RealLayer], input_shape: Shape) -> bool:
    state = _State(input_shape)
    try:
        for layer in layers:
            state = _step(layer, state).state
    except _ImpossibleLayerError:
        return False
    return True


def _step(layer: RealLayer, state: _State, is_output: bool = False) -> _Step:
    match layer:
        case kinds.Conv2D():
            return _convolution(layer, state, layer.filters, layer.groups)
        case kinds.DepthwiseConv2D():
            channels = _need_image(layer, state.shape)[2]
            return _convolution(layer, state, channels * layer.depth_multiplier, channels)
        case kinds.SeparableConv2D():
            return _separable(layer, state)
        case kinds.MaxPooling2D() | kinds.AveragePooling2D() | kinds.L2Pooling2D():
            return _pooling(layer, state)
        case kinds.GlobalAveragePooling2D() | kinds.GlobalMaxPooling2D():
            return _Step(_State((_need_image(layer, state.shape)[2],), None))
        case kinds.ZeroPadding2D():
            height, width, channels = _need_image(layer, state.shape)
            (top, bottom), (left, right) = layer.padding
            shape = (height + top + bottom, width + left + right, channels)
            return _Step(_State(shape, state.field, state.jump))
        case kinds.BatchNormalization():
            channels = state.shape[-1]
            return _Step(state, channels * (layer.center + layer.scale), 2 * channels)
        case kinds.LayerNormalization():
            return _Step(state, state.shape[-1] * (layer.center + layer.scale))
        case kinds.SpatialDropout2D():
            _need_image(layer, state.shape)
            return _Step(state)
        case kinds.ActivationLayer() | kinds.LeakyReLU() | kinds.Dropout():
            return _Step(state)
        case kinds.Flatten():
            return _Step(_State((math.prod(state.shape),), None))
        case kinds.Dense():
            return _dense(layer, state, is_output)
        case _:
            assert_never(layer)


def _need_image(layer: RealLayer, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise _ImpossibleLayerError(
            f"{layer.kind} needs rows and columns, but the image is flat by here",
            f"input {format_shape(shape)}",
            "move it before the flatten or the global pooling",
        )
    return (shape[0], shape[1], shape[2])


Convolution = kinds.Conv2D | kinds.DepthwiseConv2D | kinds.SeparableConv2D
Pooling = kinds.MaxPooling2D | kinds.AveragePooling2D | kinds.L2Pooling2D


def _windows(
    layer: Convolution | Pooling,
    state: _State,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    padding: str | Sides,
    key: str,
) -> tuple[tuple[int, int], _State, Sides, tuple[int, int]]:
    """Output sides, the state with its receptive field, the explicit zeros and what is lost, for sliding windows."""
    height, width, channels = _need_image(layer, state.shape)
    zeros = NO_SIDES if isinstance(padding, str) else padding
    sides: list[int] = []
    lost: list[int] = []
    for size, side, step, spread, (before, after) in zip(
        (height, width), kernel, strides, dilation, zeros, strict=True
    ):
        if padding == "same":
            sides.append(arithmetic.same_size(size, step))
            lost.append(0)
            continue
        sides.append(arithmetic.output_size(size, side, step, before + after, spread))
        lost.append(max(0, arithmetic.unused_pixels(size, side, step, before + after, spread) - after))
    if min(sides) < 1:
        axis = 0 if sides[0] < 1 else 1
        raise _ImpossibleLayerError(
            "the output would be empty",
            f"input {height}x{width}, {key} {kernel[0]}x{kernel[1]}, strides {strides[0]}x{strides[1]}, "
            f"{format_padding(padding)}: "
            + substitute((height, width)[axis], kernel[axis], strides[axis], sum(zeros[axis]), dilation[axis]),
            f"remove this {'pooling' if key == 'pool_size' else 'convolution'}, use padding: same, "
            "or make the images at least {least}",
            key,
        )
    grown = [
        arithmetic.grow_receptive_field(field, jump, side, step, spread)
        for field, jump, side, step, spread in zip(
            state.field or (1, 1), state.jump, kernel, strides, dilation, strict=True
        )
    ]
    field, jump = (grown[0][0], grown[1][0]), (grown[0][1], grown[1][1])
    after_state = _State((*sides, channels), field if state.field else None, jump)
    return (sides[0], sides[1]), after_state, zeros, (lost[0], lost[1])


def _convolution(layer: kinds.Conv2D | kinds.DepthwiseConv2D, state: _State, filters: int, groups: int) -> _Step:
    channels = _need_image(layer, state.shape)[2]
    if isinstance(layer, kinds.Conv2D) and (channels % groups or filters % groups):
        raise _ImpossibleLayerError(
            "groups must divide the channels of the input and the filters",
            f"groups={groups}, {channels} channels, filters={filters}",
            f"the largest number that divides both, up to {groups}, is "
            f"{max(n for n in range(1, groups + 1) if channels % n == 0 and filters % n == 0)}",
            "groups",
        )
    (height, width), after, zeros, lost = _windows(
        layer, state, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding, "kernel_size"
    )
    weights = arithmetic.convolution_parameters(layer.kernel_size, channels, filters, groups, use_bias=False)
    return _Step(
        _State((height, width, filters), after.field, after.jump),
        weights + (filters if layer.use_bias else 0),
        0,
        height * width * weights,
        zeros,
        lost,
    )


def _separable(layer: kinds.SeparableConv2D, state: _State) -> _Step:
    channels = _need_image(layer, state.shape)[2]
    (height, width), after, zeros, lost = _windows(
        layer, state, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding, "kernel_size"
    )
    middle = channels * layer.depth_multiplier
    weights = layer.kernel_size[0] * layer.kernel_size[1] * middle + middle * layer.filters
    return _Step(
        _State((height, width, layer.filters), after.field, after.jump),
        weights + (layer.filters if layer.use_bias else 0),
        0,
        height * width * weights,
        zeros,
        lost,
    )


def _pooling(layer: Pooling, state: _State) -> _Step:
    _, after, _, lost = _windows(layer, state, layer.pool_size, layer.steps, (1, 1), layer.padding, "pool_size")
    return _Step(after, lost=lost)


def _dense(layer: kinds.Dense, state: _State, is_output: bool) -> _Step:
    if len(state.shape) != 1:
        what = "the output layer that is appended" if is_output else "dense"
        raise _ImpossibleLayerError(
            f"{what} needs a vector, but the image still has rows and columns by here",
            f"input {format_shape(state.shape)}",
            f"add `- flatten` or `- global_average_pooling2d` {'as the last layer' if is_output else 'before it'}",
        )
    weights = state.shape[0] * layer.units
    return _Step(
        _State((layer.units,), None),
        arithmetic.dense_parameters(state.shape[0], layer.units, layer.use_bias),
        0,
        weights,
    )


def format_shape(shape: Shape) -> str:
    """`(30, 30, 10)` as `30x30x10`."""
    return "x".join(str(side) for side in shape)


def format_padding(padding: str | Sides) -> str:
    """`padding valid`, `padding 1`, or `padding [[0, 1], [0, 1]]`."""
    if isinstance(padding, str):
        return f"padding {padding}"
    (top, bottom), (left, right) = padding
    if top == bottom == left == right:
        return f"padding {top}"
    return f"padding [[{top}, {bottom}], [{left}, {right}]]"


def substitute(size: int, kernel: int, stride: int, padding: int, dilation: int) -> str:
    """The output formula with its numbers: `floor((32 - 3 + 0) / 1) + 1 = 30`; without `+ 0` where nothing fits."""
    result = arithmetic.output_size(size, kernel, stride, padding, dilation)
    span = arithmetic.effective_size(kernel, dilation)
    zeros = f" + {padding}" if result > 0 or padding else ""
    return f"floor(({size} - {span}{zeros}) / {stride}) + 1 = {result}"

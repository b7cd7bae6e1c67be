"""The layers that a graph may be made of: those of a config with more activations, and a few that only graphs have."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, create_model

from cnnctl.layers import LAYERS
from cnnctl.layers.base import ActivationName, BaseLayer
from cnnctl.layers.notation import Shape, format_shape
from cnnctl.layers.window import ImpossibleLayerError, Span, State, Step
from cnnctl.settings import ZeroPadding

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values
    from cnnctl.layers.onnx_graph import OnnxGraph

NodeActivation = ActivationName | Literal["relu6", "hard_silu", "hard_sigmoid", "softplus", "softsign", "selu", "mish"]


def _numbers(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Side = Annotated[int, Field(ge=-1, le=1_000_000)]


class ReLU(BaseLayer):
    """max(x, 0), cut at `max_value`, with a slope below `threshold`."""

    family = "activation"

    max_value: Annotated[float, Field(ge=0)] | None = None
    negative_slope: Annotated[float, Field(ge=0)] = 0.0
    threshold: Annotated[float, Field(ge=0)] = 0.0

    @property
    def function(self) -> str:
        return "relu"

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        most = () if self.max_value is None else (graph.constant(self.max_value),)
        if self.threshold == self.negative_slope == 0:
            return graph.node("Clip", value, graph.constant(0.0), *most) if most else graph.node("Relu", value)
        above = graph.node("Min", value, *most) if most else value
        below = graph.node("Sub", value, graph.constant(self.threshold))
        below = graph.node("Mul", below, graph.constant(self.negative_slope))
        return graph.node("Where", graph.node("Greater", value, graph.constant(self.threshold)), above, below)

    def settings_text(self) -> str:
        return "" if self.max_value is None else f"at most {self.max_value:g}"


class Cropping2D(BaseLayer):
    """Cuts rows and columns off."""

    family = "reshaping"

    cropping: ZeroPadding

    def apply(self, state: State) -> Step:
        height, width, channels = self.need_image(state.shape)
        (top, bottom), (left, right) = self.cropping
        made = (height - top - bottom, width - left - right, channels)
        if min(made[:2]) < 1:
            raise ImpossibleLayerError(
                "the output would be empty", f"input {height}x{width}", "make the images at least {least}"
            )
        return Step(State(made, state.field, state.jump))

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        (top, bottom), (left, right) = self.cropping
        begins, ends = [top, left], [shape[0] - bottom, shape[1] - right]
        return graph.node("Slice", value, *(graph.constant(one, "int64") for one in (begins, ends, [2, 3])))

    def input_span(self, axis: int, span: Span, size: int) -> Span:
        return span[0] + self.cropping[axis][0], span[1] + self.cropping[axis][0]


class Reshape(BaseLayer):
    """The same values in another shape: a vector, or rows, columns and channels."""

    family = "reshaping"

    target_shape: Annotated[tuple[Side, ...], BeforeValidator(_numbers), Field(min_length=1, max_length=3)]

    def apply(self, state: State) -> Step:
        return Step(State(self._shape(state.shape), None))

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        return graph.reshape(value, shape, self._shape(shape))

    def _shape(self, shape: Shape) -> Shape:
        values, known = math.prod(shape), math.prod(side for side in self.target_shape if side != -1)
        free = self.target_shape.count(-1)
        if len(self.target_shape) != 2 and known > 0 and free <= 1 and values % known == 0:
            made = tuple(values // known if side == -1 else side for side in self.target_shape)
            if math.prod(made) == values:
                return made
        raise ImpossibleLayerError(
            "the values do not fit the shape", f"input {format_shape(shape)}, shape {list(self.target_shape)}", ""
        )


class Inactive(BaseLayer):
    """A random change in training, which a backbone never makes."""

    family = "regularization"
    acts_in_training_only = True


class Merge(BaseLayer):
    """Makes one output of several inputs."""

    family = "merging"
    onnx_operator: ClassVar[str]
    """Its operator of two inputs in ONNX."""

    def merge_onnx(self, graph: "OnnxGraph", values: Sequence[str]) -> str:
        """Write what it makes of what flows into it into a graph; the name of its output."""
        made = values[0]
        for value in values[1:]:
            made = graph.node(self.onnx_operator, made, value)
        return made

    def merge(self, states: Sequence[State]) -> Step:
        """What it makes of what flows into it, at least two states.

        Raises:
            ImpossibleLayerError: they do not fit together.
        """
        shape = self._shape([state.shape for state in states])
        if shape is None:
            shapes = ", ".join(format_shape(state.shape) for state in states)
            raise ImpossibleLayerError("the inputs do not fit together", f"inputs {shapes}", "")
        jump = max(state.jump for state in states)
        fields = [state.field for state in states if state.field is not None]
        whole = len(fields) < len(states)
        field = None if whole else (max(one[0] for one in fields), max(one[1] for one in fields))
        return Step(State(shape, field, jump))

    def _shape(self, shapes: Sequence[Shape]) -> Shape | None:
        """Each side is that of all inputs which do not have 1 there."""
        if len({len(shape) for shape in shapes}) > 1:
            return None
        sides = [set(sides) - {1} for sides in zip(*shapes, strict=True)]
        return tuple(max(one, default=1) for one in sides) if all(len(one) < 2 for one in sides) else None


class Add(Merge):
    """The sum of its inputs."""

    onnx_operator = "Add"


class Multiply(Merge):
    """The product of its inputs."""

    onnx_operator = "Mul"


class Concatenate(Merge):
    """The channels of all inputs, one after the other."""

    def merge_onnx(self, graph: "OnnxGraph", values: Sequence[str]) -> str:
        return graph.node("Concat", *values, axis=1)

    def _shape(self, shapes: Sequence[Shape]) -> Shape | None:
        if len({shape[:-1] for shape in shapes}) > 1 or len({len(shape) for shape in shapes}) > 1:
            return None
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))


class _KeptDimensions(BaseLayer):
    """Pooling over all rows and columns, which may keep one of each."""

    keepdims: bool = False

    def apply(self, state: State) -> Step:
        channels = self.need_image(state.shape)[2]
        return Step(State((1, 1, channels) if self.keepdims else (channels,), None))


def _for_graphs(member: type[Any]) -> type[Any]:
    """A kind of layer of configs as a kind of node: more activations, `padding` as Keras has it, kept dimensions."""
    fields = member.model_fields
    wider: dict[str, Any] = {}
    if "activation" in fields:
        wider["activation"] = (NodeActivation, fields["activation"].default)
    if "padding" in fields and member.family == "convolution":
        wider["padding"] = (Literal["valid", "same"], "valid")
    if member.keras_class.startswith("Global"):
        return _derived(member, member.keras_class, _KeptDimensions)
    return _derived(member, member.keras_class, **wider) if wider else member


def _derived(member: type[Any], keras_class: str, *mixins: type[Any], **fields: Any) -> type[Any]:
    make: Any = create_model
    made: Any = make(member.__name__, __base__=(*mixins, member), __doc__=member.__doc__, **fields)
    made.keras_class, made.kind, made.family = keras_class, member.kind, member.family
    kind: type[Any] = made
    return kind


_NOT_NODES = ("repeat", "backbone", "l2_pooling2d", "dropout", "spatial_dropout2d")
_RANDOM = (
    "Dropout",
    "SpatialDropout2D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
)
NODES: dict[str, type[BaseLayer]] = {
    **{member.keras_class: _for_graphs(member) for kind, member in LAYERS.items() if kind not in _NOT_NODES},
    **{member.keras_class: member for member in (ReLU, Cropping2D, Reshape, Add, Multiply, Concatenate)},
    **{name: _derived(Inactive, name) for name in _RANDOM},
}
"""Every kind of node, by the name of its class in Keras."""

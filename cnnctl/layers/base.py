"""What every kind of layer says about itself: its Keras class, what it makes of a shape, its traits; shared settings.

Nothing else knows the kinds: architecture/, models/ and pictures/ ask each layer. A new kind is one class in a module
of this package, and its name in the list of `layers/__init__.py`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel

from cnnctl.layers.initializers import DIRAC, ORDINARY, Whitening
from cnnctl.layers.notation import Shape, format_shape
from cnnctl.layers.window import ImpossibleLayerError, Span, State, Step, Window
from cnnctl.settings import Named, Settings, Words, described

if TYPE_CHECKING:
    from cnnctl.layers.compute import Values
    from cnnctl.layers.onnx_graph import OnnxGraph

ActivationName = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softmax", "linear"]
Activation = Annotated[ActivationName, described("Activation function applied to each output value.", "relu")]
Bias = Annotated[bool, described("Whether to add a bias to each channel or unit.")]
Trainable = Annotated[bool, described("Whether training changes the weights, the biases among them.", False)]


class Regularizer(Settings):
    """A penalty on the weights that is added to the loss: l1 * sum(|w|) + l2 * sum(w^2)."""

    l1: Annotated[float, described("Factor of the sum of absolute weights.", ge=0)] = 0.0
    l2: Annotated[float, described("Factor of the sum of squared weights.", ge=0)] = 0.0


Penalty = Annotated[
    Regularizer | None,
    Words((("none", None), ("l1", {"l1": 0.01}), ("l2", {"l2": 0.01}), ("l1_l2", {"l1": 0.01, "l2": 0.01}))),
    described(
        "Penalty on the weights in the loss: {l1: 0.001, l2: 0.001}; a bare name uses Keras' factor 0.01.",
        {"l2": 0.0001},
    ),
]

_LEARNED = ("_initializer", "_regularizer")
"""Endings of settings that say nothing of what a trained layer computes."""

NOT_TRAINED = "not trained"

_NEVER_FALLS = frozenset(("relu", "leaky_relu", "elu", "tanh", "sigmoid"))


class BaseLayer(Named):
    """Base of all layers that compute. The defaults are those of a layer that leaves shapes as they are."""

    keras_class: ClassVar[str]
    """The name that Keras knows it by, most often its own; `cnnctl>...` for a class of ours, as it is registered."""
    family: ClassVar[str]
    """The module that it stands in: convolution, pooling and so on."""

    learns: ClassVar[bool] = False
    """Whether it multiplies its input by learned weights."""
    is_depthwise: ClassVar[bool] = False
    """Whether its kernels look at one channel each."""
    takes_maximum: ClassVar[bool] = False
    """Whether each output value is the largest of some input values."""
    flattens: ClassVar[bool] = False
    """Whether it lays the values out as a vector, in the memory of its input."""
    acts_in_training_only: ClassVar[bool] = False
    """Whether it is a random change in training, which takes a seed, and nothing afterwards."""
    is_transparent: ClassVar[bool] = False
    """Whether layers around it need an activation between them just as they would without it."""
    is_linear: ClassVar[bool] = False
    """Whether its output is a linear function of its input once it is trained."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.family = cls.__module__.rpartition(".")[2]
        if "keras_class" not in vars(cls):
            cls.keras_class = cls.__name__

    @property
    def must_be_first(self) -> bool:
        """Whether it takes nothing but the image."""
        return False

    @property
    def row_name(self) -> str:
        """What its rows are called, numbered from the second on."""
        return self.kind

    @property
    def has_kernels(self) -> bool:
        """Whether it slides learned kernels over rows and columns."""
        return self.family == "convolution"

    @property
    def slides_windows(self) -> bool:
        """Whether each output value depends on a window of rows and columns."""
        return self.window is not None

    @property
    def is_activation(self) -> bool:
        """Whether it is an activation as a layer of its own."""
        return self.family == "activation"

    @property
    def function(self) -> str:
        """The activation that it ends with; `linear` for none."""
        name: str = getattr(self, "activation", "linear")
        return name

    @property
    def never_falls(self) -> bool:
        """Whether its activation never falls, so that it may come after a maximum just as well: f(max x) = max f(x)."""
        return self.function in _NEVER_FALLS

    @property
    def window(self) -> Window | None:
        """What slides over rows and columns."""
        return None

    @property
    def begins_with_images(self) -> bool:
        """Whether its first weights are made of what flows into it of the training images: no weights before it."""
        return False

    def first_weights(self, drawn: "Sequence[Values]") -> "Sequence[Values]":
        """The weights that it begins with; `drawn` are those of the initializers of `keras_arguments`."""
        return drawn

    def fitted_weights(self, drawn: "Sequence[Values]", inputs: "Iterable[Values]") -> "Sequence[Values]":
        """The weights of one that `begins_with_images`; `inputs` are what flows into it of images, each once."""
        raise NotImplementedError

    def keras_arguments(self) -> dict[str, Any]:
        """The arguments of `keras_class`: numbers, text, tuples, and dicts of the factors of a regularizer.

        Explicit zeros around a convolution are a layer of their own and leave `padding: valid`. Initializers come in
        the order in which their seeds are drawn; one that Keras lacks is the one that it starts from.
        """
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields}

    @classmethod
    def from_keras(cls, config: Mapping[str, Any]) -> Self:
        """The layer of what Keras writes about one of `keras_class`; how its weights began is left out.

        Raises:
            ValidationError: it has a setting that a config cannot have.
        """
        own = {name: config[name] for name in cls.model_fields if not name.endswith(_LEARNED) and name in config}
        if isinstance(own.get("activation"), dict):
            own["activation"] = own["activation"].get("config", {}).get("name", own["activation"].get("class_name"))
        return cls.model_validate({name: value for name, value in own.items() if value is not None})

    def with_paths(self, resolve: Callable[[str, str], str]) -> Self:
        """Itself with absolute paths; `resolve` makes one of a key and its value."""
        return self

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        """The shapes of its weights for an input, in Keras' order."""
        return ()

    def apply(self, state: State) -> Step:
        """What it makes of what flows into it.

        Raises:
            ImpossibleLayerError: it does not fit.
        """
        return Step(state)

    def compute(self, values: "Values", weights: Sequence["Values"]) -> "Values":
        """What a trained layer makes of the values of one image, in float64; `weights` are as Keras lists them.

        Example: `GlobalMaxPooling2D().compute(np.ones((4, 4, 32)), ())` has the shape (32,). A backbone has none.
        """
        raise NotImplementedError

    def to_onnx(self, graph: "OnnxGraph", value: str, shape: Shape, weights: Sequence["Values"]) -> str:
        """Write what a trained layer makes of a value, whose shape is given, into a graph; the name of its output.

        `weights` are as Keras lists them. One that acts in training only writes nothing.
        """
        if self.acts_in_training_only:
            return value
        raise NotImplementedError

    def unit_weights(self, shape: Shape, weights: Sequence["Values"], channel: int) -> "tuple[slice, Values]":
        """Of a layer that `learns`: the channels of an input of a shape that one of its output channels looks at, and
        the weights by which it multiplies them: (height, width, channels) of a kernel, (inputs,) of a dense unit.
        """
        raise NotImplementedError

    def formulas(self, shape: Shape) -> list[str]:
        """How its output and its parameters come about for an input, a line each.

        Example: for a 3x3 convolution of 32x32x3: `height: floor((32 - 3 + 0) / 1) + 1 = 30`.
        """
        return []

    def input_span(self, axis: int, span: Span, size: int) -> Span:
        """What it needs of an input of `size` along an axis, padding included, for a span of its output."""
        return span if self.window is None else self.window.before(axis, span, size)

    def settings_text(self) -> str:
        """The settings that matter in a few words, such as `32 filters 3x3, stride 2, padding same, relu`."""
        return ""

    def picture_text(self) -> str:
        """Those that a picture has room for; shapes and parameters stand beside them."""
        return ""

    def need_image(self, shape: Shape) -> tuple[int, int, int]:
        """The shape of its input, which must have rows and columns.

        Raises:
            ImpossibleLayerError: it has none.
        """
        if len(shape) != 3:
            raise ImpossibleLayerError(
                f"{self.kind} needs rows and columns, but its input is already flat",
                f"input {format_shape(shape)}",
                "move it before the flatten or the global pooling",
            )
        return (shape[0], shape[1], shape[2])


def parameters(product: str, step: Step, bias: int = 0) -> str:
    """The line of `formulas` about parameters: `parameters: 3 * 3 * 3 * 10 + 10 biases = 280`."""
    biases = f" + {bias} biases" if bias else ""
    return f"parameters: {product}{biases} = {step.trainable + step.fixed:,}"


def ending(activation: str, use_bias: bool, trainable: bool = True) -> list[str]:
    """How a learning layer ends, for `settings_text`: `relu`, `no bias`, `not trained`."""
    said = {activation: activation != "linear", "no bias": not use_bias, NOT_TRAINED: not trainable}
    return [text for text, is_so in said.items() if is_so]


def _plain(value: Any) -> Any:
    if value == DIRAC or isinstance(value, Whitening):
        return ORDINARY
    return value.model_dump() if isinstance(value, BaseModel) else value

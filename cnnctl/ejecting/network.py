"""The model section -> the source of `build_model()` and of the layer that Keras lacks."""

from collections.abc import Iterator, Sequence

from cnnctl.config import Config
from cnnctl.ejecting.source import STEP, Group, Node, array, call, lines, literal, opened
from cnnctl.layers import (
    ActivationLayer,
    AnyLayer,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    L2Pooling2D,
    LayerNormalization,
    LeakyReLU,
    MaxPooling2D,
    RealLayer,
    Regularizer,
    Repeat,
    SeparableConv2D,
    SpatialDropout2D,
    ZeroPadding2D,
)
from cnnctl.settings import Sides, given

_CLASSES: dict[type[RealLayer], tuple[str, tuple[str, ...]]] = {
    Conv2D: ("layers.Conv2D", ("filters", "kernel_size")),
    DepthwiseConv2D: ("layers.DepthwiseConv2D", ("kernel_size",)),
    SeparableConv2D: ("layers.SeparableConv2D", ("filters", "kernel_size")),
    MaxPooling2D: ("layers.MaxPooling2D", ("pool_size",)),
    AveragePooling2D: ("layers.AveragePooling2D", ("pool_size",)),
    L2Pooling2D: ("L2Pooling2D", ("pool_size",)),
    GlobalAveragePooling2D: ("layers.GlobalAveragePooling2D", ()),
    GlobalMaxPooling2D: ("layers.GlobalMaxPooling2D", ()),
    ZeroPadding2D: ("layers.ZeroPadding2D", ("padding",)),
    BatchNormalization: ("layers.BatchNormalization", ()),
    LayerNormalization: ("layers.LayerNormalization", ()),
    ActivationLayer: ("layers.Activation", ("activation",)),
    LeakyReLU: ("layers.LeakyReLU", ()),
    Dropout: ("layers.Dropout", ("rate",)),
    SpatialDropout2D: ("layers.SpatialDropout2D", ("rate",)),
    Flatten: ("layers.Flatten", ()),
    Dense: ("layers.Dense", ("units",)),
}
"""Each layer's name in the script, and the settings that it takes without their names."""

L2_POOLING = '''\
@keras.saving.register_keras_serializable(package="cnnctl")
class L2Pooling2D(layers.Layer):
    """The square root of the sum of squares of each window, in float32.

    Whoever loads the saved model needs this class too: import this file before.
    """

    def __init__(self, pool_size, strides=None, padding="valid", epsilon=1e-6, **more):
        super().__init__(**more)
        self.pool_size = self._pair(pool_size)
        self.strides = self._pair(strides or pool_size)
        self.padding = padding
        self.epsilon = epsilon  # under the root, which has an infinite gradient at 0

    def call(self, inputs):
        squares = keras.ops.square(keras.ops.cast(inputs, "float32"))
        if self.padding == "same":
            # written out, since average_pool leaves zeros around the image uncounted
            sides = zip(inputs.shape[1:3], self.pool_size, self.strides, strict=True)
            rows, columns = (self._zeros(*side) for side in sides)
            squares = keras.ops.pad(squares, [(0, 0), rows, columns, (0, 0)])
        means = keras.ops.average_pool(squares, self.pool_size, self.strides, "valid")
        values = self.pool_size[0] * self.pool_size[1]
        roots = keras.ops.sqrt(means * values + self.epsilon)
        return keras.ops.cast(roots, self.compute_dtype)

    @staticmethod
    def _pair(value):
        return (value, value) if isinstance(value, int) else tuple(value)

    @staticmethod
    def _zeros(size, window, step):
        total = max((-(-size // step) - 1) * step + window - size, 0)
        return (total // 2, total - total // 2)

    def get_config(self):
        names = ("pool_size", "strides", "padding", "epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
'''


def model_lines(config: Config, standardizes: bool, float32: bool) -> list[str]:
    """The source of `build_model()`.

    Args:
        config: A config whose network is possible.
        standardizes: Whether the pixels are scaled by MEAN and DEVIATION.
        float32: Whether a dtype policy may come in that scaling and output must not follow.
    """
    exact: dict[str, Node] = {"dtype": '"float32"'} if float32 else {}
    first = [call("keras.Input", "(HEIGHT, WIDTH, CHANNELS)", dtype='"uint8"'), _scaling(config, exact)]
    last = _output(config, exact)
    head = ["def build_model():", '    """The network: uint8 pixels in, probabilities out."""']
    if standardizes:
        head.append("    scale = [1 / deviation for deviation in DEVIATION]")
        head.append("    offset = [-mean * one for mean, one in zip(MEAN, scale, strict=True)]")
    if not _has_repeat(config.model):
        hidden = [one for layer in config.model for one in layer_calls(_real(layer))]
        return [*head, *lines(call("keras.Sequential", opened(array([*first, *hidden, last]))), STEP, "return ")]
    added = [line for one in first for line in _add(one, STEP)]
    return [
        *head,
        "    model = keras.Sequential()",
        *added,
        *_added(config.model, STEP),
        *_add(last, STEP),
        "    return model",
    ]


def uses_l2_pooling(layers: Sequence[AnyLayer]) -> bool:
    """Whether the script needs `L2_POOLING`."""
    return any(
        uses_l2_pooling(layer.layers) if isinstance(layer, Repeat) else isinstance(layer, L2Pooling2D)
        for layer in layers
    )


def layer_calls(layer: RealLayer) -> Iterator[Group]:
    """The Keras layers of one of ours, defaults left out; explicit zeros are a layer of their own."""
    name, unnamed = _CLASSES[type(layer)]
    padding = getattr(layer, "padding", None)
    if isinstance(padding, tuple) and not isinstance(layer, ZeroPadding2D):
        if padding != ((0, 0), (0, 0)):
            yield call("layers.ZeroPadding2D", _value(padding))
        layer = layer.model_copy(update={"padding": "valid"})
    others = {key: value for key, value in given(layer).items() if key not in unnamed}
    named = {key: _value(value) for key, value in others.items() if not _is_idle(value)}
    yield call(name, *(_value(getattr(layer, key)) for key in unnamed), **named)


def _scaling(config: Config, exact: dict[str, Node]) -> Group:
    match config.data.image.scaling:
        case "unit":
            return call("layers.Rescaling", "1 / 255", **exact)
        case "symmetric":
            return call("layers.Rescaling", "1 / 127.5", offset="-1", **exact)
        case "standardize":
            return call("layers.Rescaling", "scale", "offset", **exact)


def _output(config: Config, exact: dict[str, Node]) -> Group:
    units = "1" if config.output == "sigmoid" else "len(CLASSES)"
    return call("layers.Dense", units, activation=literal(config.output), **exact)


def _has_repeat(layers: Sequence[AnyLayer]) -> bool:
    return any(isinstance(layer, Repeat) for layer in layers)


def _real(layer: AnyLayer) -> RealLayer:
    assert not isinstance(layer, Repeat)
    return layer


def _added(layers: Sequence[AnyLayer], indent: int) -> Iterator[str]:
    """`model.add(...)` for each layer, a loop for each `repeat`."""
    for layer in layers:
        if isinstance(layer, Repeat):
            yield " " * indent + f"for _ in range({layer.times}):"
            yield from _added(layer.layers, indent + STEP)
        else:
            for one in layer_calls(layer):
                yield from _add(one, indent)


def _add(layer: Group, indent: int) -> list[str]:
    return lines(call("model.add", layer), indent)


def _is_idle(value: object) -> bool:
    return isinstance(value, Regularizer) and not value.l1 and not value.l2


def _value(value: object) -> Node:
    if isinstance(value, Regularizer):
        factors = {key: getattr(value, key) for key in ("l1", "l2") if getattr(value, key)}
        return call("keras.regularizers.L1L2", **{key: literal(factor) for key, factor in factors.items()})
    if isinstance(value, tuple):
        return literal(_short(value))
    return literal(value)


def _short(value: "tuple[int, int] | Sides") -> "int | tuple[int, int] | Sides":
    """(3, 3) as 3, and ((1, 1), (1, 1)) as 1."""
    flat = {number for side in value for number in (side if isinstance(side, tuple) else (side,))}
    return flat.pop() if len(flat) == 1 else value

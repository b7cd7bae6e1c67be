"""The ONNX graph that layers write themselves into, a node after the other. Only writing it out needs the package onnx.

Images flow through it as (batch, channels, height, width) in float32, vectors as (batch, features). Shapes that are
handed around are those of the layers, without the batch: (height, width, channels) or (features,).
"""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cnnctl.layers.notation import Shape
from cnnctl.layers.window import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnnctl.layers.compute import Values

OPERATOR_SET, IR_VERSION = 17, 8
"""What every ONNX Runtime of the last years reads."""

BATCH = "batch"
_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
_LARGEST = 3.4028234663852886e38
"""Of float32."""
_SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}
_BY_ONE_NODE: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "elu": ("Elu", {}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "softmax": ("Softmax", {"axis": 1}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "selu": ("Selu", _SELU),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}),
}


class OnnxGraph:
    """Nodes and constants; each node is named after the layer that is being written, see `name`."""

    def __init__(self) -> None:
        self._nodes: list[tuple[str, list[str], str, dict[str, Any]]] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._known: dict[tuple[str, Shape, bytes], str] = {}
        self.layer = ""
        """The name of the layer that is being written."""

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output; its name."""
        name = f"{self.layer}/{operator}_{len(self._nodes)}"
        self._nodes.append((operator, list(inputs), name, attributes))
        return name

    def constant(self, values: Any, dtype: str = "float32") -> str:
        """The name of a constant, which equal ones share."""
        import numpy as np

        array = np.ascontiguousarray(np.asarray(values, dtype)).reshape(np.shape(values))
        key = dtype, array.shape, hashlib.blake2b(array.tobytes(), digest_size=16).digest()
        if key not in self._known:
            self._known[key] = f"{self.layer}/constant_{len(self._constants)}"
            self._constants[self._known[key]] = array
        return self._known[key]

    def by_channel(self, numbers: Any, shape: Shape) -> str:
        """The name of numbers, one for all channels or one for each, in a form that combines with what has a shape."""
        import numpy as np

        array = np.asarray(numbers, np.float64)
        return self.constant(array.reshape(-1, 1, 1) if array.ndim and len(shape) == 3 else array)

    def scale(self, value: str, factor: Any, offset: Any, shape: Shape) -> str:
        """value * factor + offset, numbers for all channels or one for each."""
        import numpy as np

        if not np.all(np.asarray(factor) == 1):
            value = self.node("Mul", value, self.by_channel(factor, shape))
        return self.node("Add", value, self.by_channel(offset, shape)) if np.any(np.asarray(offset)) else value

    def channels_first(self, value: str) -> str:
        """(batch, height, width, channels) as the other layers take it."""
        return self.node("Transpose", value, perm=_TO_CHANNELS_FIRST)

    def channels_last(self, value: str) -> str:
        """The image that flows through it as (batch, height, width, channels)."""
        return self.node("Transpose", value, perm=_TO_CHANNELS_LAST)

    def reshape(self, value: str, before: Shape, after: Shape) -> str:
        """The same values in another shape, in the order of channels last."""
        if len(before) == 3 and before[:2] != (1, 1):
            value = self.channels_last(value)
        is_pixel = len(after) == 3 and after[:2] == (1, 1)
        sides = (after[2], 1, 1) if is_pixel else after
        value = self.node("Reshape", value, self.constant([0, *sides], "int64"))
        return value if is_pixel or len(after) == 1 else self.channels_first(value)

    def convolve(
        self, value: str, kernels: "Values", bias: "Values | None", window: Window, shape: Shape, groups: int = 1
    ) -> str:
        """Cross-correlation with kernels (height, width, channels of a group, kernels)."""
        constants = [self.constant(kernels.transpose(3, 2, 0, 1))]
        constants += [] if bias is None else [self.constant(bias)]
        slides = self.slides(window, shape)
        return self.node("Conv", value, *constants, **slides, dilations=window.dilation, group=groups)

    def slides(self, window: Window, shape: Shape) -> dict[str, Any]:
        """The attributes of a window that slides over an image of a shape."""
        (top, bottom), (left, right) = window.sides(shape)
        return {"kernel_shape": window.size, "strides": window.strides, "pads": (top, left, bottom, right)}

    def beside_zeros(self, value: str) -> str:
        """What a pooling may take: zeros around an image are values to it, and not the borders that it leaves out.

        ONNX Runtime before 1.32 makes one node of a Pad and the pooling after it, in which the zeros are lost.
        """
        is_padded = any(name == value and operator == "Pad" for operator, _, name, _ in self._nodes)
        return self.node("Clip", value, self.constant(-_LARGEST), self.constant(_LARGEST)) if is_padded else value

    def activate(self, value: str, name: str, negative_slope: float = 0.2) -> str:
        """An activation of Keras by its name, with Keras' defaults."""
        if name == "linear":
            return value
        if name in _BY_ONE_NODE:
            operator, attributes = _BY_ONE_NODE[name]
            return self.node(operator, value, **attributes)
        match name:
            case "leaky_relu":
                return self.node("LeakyRelu", value, alpha=negative_slope)
            case "relu6":
                return self.node("Clip", value, self.constant(0.0), self.constant(6.0))
            case "silu":
                return self.node("Mul", value, self.node("Sigmoid", value))
            case "mish":
                return self.node("Mul", value, self.node("Tanh", self.node("Softplus", value)))
            case "gelu":
                erf = self.node("Erf", self.node("Div", value, self.constant(2**0.5)))
                share = self.node("Mul", self.node("Add", erf, self.constant(1.0)), self.constant(0.5))
                return self.node("Mul", value, share)
        raise ValueError(name)

    def model(
        self, image: str, shape: Shape, outputs: Mapping[str, tuple[str, Shape]], metadata: Mapping[str, str]
    ) -> Any:
        """The onnx.ModelProto of what was written.

        Args:
            image: The name of its input, uint8 (batch, height, width, channels).
            shape: (height, width, channels).
            outputs: What is put out, by the name that it gets: the node, and its shape.
            metadata: Texts by their keys.
        """
        from onnx import TensorProto, helper, numpy_helper

        told = {value: name for name, (value, _) in outputs.items()}

        def described(name: str, kind: int, sides: Shape) -> Any:
            return helper.make_tensor_value_info(name, kind, [BATCH, *sides])

        graph = helper.make_graph(
            [
                helper.make_node(operator, [told.get(one, one) for one in inputs], [told.get(name, name)], name, **more)
                for operator, inputs, name, more in self._nodes
            ],
            "cnnctl",
            [described(image, TensorProto.UINT8, shape)],
            [described(name, TensorProto.FLOAT, sides) for name, (_, sides) in outputs.items()],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        opset = helper.make_opsetid("", OPERATOR_SET)
        made = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="cnnctl")
        helper.set_model_props(made, dict(metadata))
        return made

"""Which operators a model.onnx may have: those that our exports use, so that a stranger's model does nothing else.

None of them computes in a loop, holds another graph, or reads a file.
"""

from pathlib import Path
from typing import Any

from cnnctl.errors import RunError
from cnnctl.formatting import printable

OPERATORS = frozenset(
    """
    Add AveragePool Cast Clip Concat ConstantOfShape Conv DequantizeLinear Div Elu Erf Expand Gather Gelu Gemm
    GlobalAveragePool GlobalMaxPool Greater HardSigmoid HardSwish LeakyRelu MatMul Max MaxPool Min Mul Neg Not
    Pad QuantizeLinear Reciprocal ReduceMax ReduceMean ReduceSum ReduceSumSquare Relu Reshape Selu Shape Sigmoid
    Slice Softmax Softplus Softsign Sqrt Squeeze Sub Tanh Transpose Unsqueeze Where
    """.split()
)
"""Those of every kind of layer and backbone on both backends, as training and `export` write them.

`tests/exporting/test_operators.py` exports them all and compares.
"""

_DOMAINS = ("", "ai.onnx")
_HINT = "cnnctl runs only models that it wrote"
_MOST_SHOWN = 50


def refuse_foreign_operators(content: bytes, path: Path) -> None:
    """Look through a model, for which the package onnx is imported: it takes longer than most predictions.

    Raises:
        RunError: it has an operator that none of our models has, or is no model.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise RunError(f"{path} cannot be used: {error}", "train the run again") from None
    if model.functions:
        raise RunError(f"{path} defines the function {_shown(model.functions[0].name)} of its own", _HINT)
    for node in model.graph.node:
        if node.domain not in _DOMAINS or node.op_type not in OPERATORS:
            raise RunError(f"{path} uses the operator {_name(node)}, which no model of cnnctl has", _HINT)
        if any(one.HasField("g") or one.graphs for one in node.attribute):
            raise RunError(f"{path} has a graph inside the operator {_name(node)}", _HINT)


def _name(node: Any) -> str:
    return _shown(node.op_type if node.domain in _DOMAINS else f"{node.domain}.{node.op_type}")


def _shown(name: str) -> str:
    return printable(name[:_MOST_SHOWN]) or "without a name"

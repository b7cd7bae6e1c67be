"""A run's model.onnx in fewer bits, by ONNX Runtime's own converters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.exporting.formats import FLOAT16, INT8
from cnnctl.inference.model import METADATA_KEY, open_session

_IN_INTEGERS = ("Conv", "MatMul", "Gemm", "Relu", "Clip", "MaxPool", "AveragePool", "Pad")
_MOVING = ("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze")
"""What ONNX Runtime computes, or only moves, in integers. The rest stays float32: it is cheap, and needs digits."""


def write_onnx(
    source: Path, path: Path, quantization: str | None, calibration: Iterator[NDArray[np.uint8]], text: str
) -> None:
    """An ONNX file at `path`, its input and output as those of the source: uint8 pixels in, float32 probabilities out.

    Args:
        source: A model.onnx that `open_session` takes.
        path: Where it goes.
        quantization: `float16`: weights and arithmetic; `int8`: weights for each channel, and the values between the
            layers; None copies.
        calibration: Batches of training images, for int8.
        text: Its metadata.
    """
    if quantization == FLOAT16:
        _write_float16(source, path, text)
    elif quantization == INT8:
        _write_int8(source, path, calibration, text)
    else:
        path.write_bytes(source.read_bytes())


def _write_float16(source: Path, path: Path, text: str) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = convert_float_to_float16(onnx.load_model_from_string(source.read_bytes()), keep_io_types=True)
    OnnxModel.graph_topological_sort(model.graph)  # the converter appends its casts at the end
    _finish(model, path, text)


def _write_int8(source: Path, path: Path, calibration: Iterator[NDArray[np.uint8]], text: str) -> None:
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quant_pre_process, quantize_static

    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(path),
        _Reader(open_session(source).get_inputs()[0].name, calibration),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=[*_IN_INTEGERS, *_MOVING],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        reduce_range=True,  # 7 bits of weight: 8 overflow on processors without VNNI, and answers would depend on them
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"]},  # what softmax gets keeps its digits
    )
    prepared.unlink()
    _finish(onnx.load_model_from_string(path.read_bytes()), path, text)


class _Reader:
    """Calibration images in the form that ONNX Runtime asks for."""

    def __init__(self, name: str, batches: Iterator[NDArray[np.uint8]]) -> None:
        self._name, self._batches = name, batches

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch by the name of the input; None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def _finish(model: Any, path: Path, text: str) -> None:
    """Write it with our metadata alone: the tools leave notes to themselves there."""
    import onnx

    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, text
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())

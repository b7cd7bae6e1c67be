"""An exported file in its own runtime: what whoever gets it will run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.exporting.formats import LITERT, ONNX, OPENVINO, OPENVINO_MODEL, SAVEDMODEL, Format
from cnnctl.exporting.parity import Predict
from cnnctl.inference.model import open_session
from cnnctl.system.cores import available_cores


@dataclass(frozen=True)
class Opened:
    """A file that has been loaded. `predict`: uint8 (N, height, width, channels) -> float32 (N, units), for any N.

    `signature` is the name that it is called under, None where the format has none. Shapes begin with the batch: 1, or
    None where that is free.
    """

    predict: Predict
    signature: str | None
    input_name: str
    input_shape: tuple[int | None, ...]
    output_name: str
    output_shape: tuple[int | None, ...]


def open_exported(path: Path, form: Format) -> Opened:
    """Load a file in the runtime of its format; what that takes must be installed.

    Raises:
        RunError: ONNX Runtime refuses it.
        AssertionError: it does not take uint8 pixels and give float32 probabilities: a bug of ours.
    """
    openers = {ONNX: _open_onnx, LITERT: _open_litert, OPENVINO: _open_openvino, SAVEDMODEL: _open_savedmodel}
    opened = openers[form](path)
    assert len(opened.input_shape) == 4, opened
    assert len(opened.output_shape) == 2, opened
    return opened


def _open_onnx(path: Path) -> Opened:
    session = open_session(path)
    (given,), (answered, *_) = session.get_inputs(), session.get_outputs()  # features may come after the answer
    assert (given.type, answered.type) == ("tensor(uint8)", "tensor(float)"), (given.type, answered.type)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (output,) = session.run([answered.name], {given.name: images})
        return np.asarray(output, np.float32)

    return Opened(predict, None, given.name, _shape(given.shape), answered.name, _shape(answered.shape))


def _open_litert(path: Path) -> Opened:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=available_cores())
    interpreter.allocate_tensors()
    (given,), (answered,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] is np.uint8, given
    assert given["quantization"] in ((0.0, 0), (1.0, 0)), given  # a pixel is its own number
    assert answered["dtype"] is np.float32, answered
    ((signature, names),) = interpreter.get_signature_list().items()

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = []
        for image in images:
            interpreter.set_tensor(given["index"], image[None])
            interpreter.invoke()
            rows.append(interpreter.get_tensor(answered["index"])[0])
        return np.stack(rows)

    (input_name,), (output_name,) = names["inputs"], names["outputs"]
    return Opened(predict, signature, input_name, _shape(given["shape"]), output_name, _shape(answered["shape"]))


def _open_openvino(path: Path) -> Opened:
    import openvino

    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",  # not the machine's bfloat16
        "INFERENCE_NUM_THREADS": available_cores(),
    }
    compiled = core.compile_model(core.read_model(path / OPENVINO_MODEL), "CPU", settings)
    (given,), (answered,) = compiled.inputs, compiled.outputs
    assert (given.element_type, answered.element_type) == (openvino.Type.u8, openvino.Type.f32), (given, answered)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.array(compiled(images)[answered], np.float32)

    shapes = [
        _shape([None if side.is_dynamic else side.get_length() for side in one.partial_shape])
        for one in (given, answered)
    ]
    return Opened(predict, None, given.any_name, shapes[0], answered.any_name, shapes[1])


def _open_savedmodel(path: Path) -> Opened:
    import tensorflow as tf

    signature = "serving_default"
    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures[signature]
    ((input_name, given),) = function.structured_input_signature[1].items()
    ((output_name, answered),) = function.structured_outputs.items()
    assert (given.dtype, answered.dtype) == (tf.uint8, tf.float32), (given, answered)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert loaded is not None  # it owns the variables, which a function alone does not keep alive
        return np.asarray(function(**{input_name: tf.constant(images)})[output_name], np.float32)

    return Opened(predict, signature, input_name, _shape(given.shape), output_name, _shape(answered.shape))


def _shape(sides: Any) -> tuple[int | None, ...]:
    """A shape whose free sides, which each library writes in its own way, are None."""
    return tuple(int(side) if isinstance(side, int | np.integer) and side > 0 else None for side in sides)

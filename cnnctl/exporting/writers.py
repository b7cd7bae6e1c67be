"""A run's network in the form of each format, by the tools of ONNX Runtime, OpenVINO, LiteRT and TensorFlow."""

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.errors import RunError
from cnnctl.exporting.formats import FLOAT16, INT8, OPENVINO_MODEL
from cnnctl.inference.model import METADATA_KEY, open_session

_INPUT = "image"

_IN_INTEGERS = ("Conv", "MatMul", "Gemm", "Relu", "Clip", "MaxPool", "AveragePool", "Pad")
_MOVING = ("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze")
"""What ONNX Runtime computes, or only moves, in integers. The rest stays float32: it is cheap, and needs digits."""


def write_onnx(
    source: bytes, path: Path, quantization: str | None, calibration: Iterator[NDArray[np.uint8]], text: str
) -> None:
    """An ONNX file at `path`, its input and output as those of `source`, another one: uint8 in, float32 out.

    `float16` quantizes weights and arithmetic; `int8` the weights for each channel, and the values between the layers,
    which batches of training images show; both put out the answers alone, without features. None copies. `text` is
    its metadata.
    """
    if quantization is None:
        path.write_bytes(source)
        return
    import onnx

    source = _without_features(source)
    model = _float16(source) if quantization == FLOAT16 else _int8(source, path, calibration)
    del model.metadata_props[:]  # the tools leave notes to themselves there
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, text
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _without_features(source: bytes) -> bytes:
    import onnx

    model = onnx.load_model_from_string(source)
    del model.graph.output[1:]
    return bytes(model.SerializeToString())


def _float16(source: bytes) -> Any:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = convert_float_to_float16(onnx.load_model_from_string(source), keep_io_types=True)
    OnnxModel.graph_topological_sort(model.graph)  # the converter appends its casts at the end
    return model


def _int8(source: bytes, path: Path, calibration: Iterator[NDArray[np.uint8]]) -> Any:
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quant_pre_process, quantize_static

    given = path.with_suffix(".given.onnx")
    given.write_bytes(source)
    name = open_session(given).get_inputs()[0].name
    feeds = ({name: batch} for batch in calibration)
    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(str(given), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(path),
        SimpleNamespace(get_next=lambda: next(feeds, None)),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=[*_IN_INTEGERS, *_MOVING],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        reduce_range=True,  # 7 bits of weight: 8 overflow on processors without VNNI, and answers would depend on them
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"]},  # what softmax gets keeps its digits
    )
    given.unlink()
    prepared.unlink()
    return onnx.load_model_from_string(path.read_bytes())


def write_openvino(
    source: bytes, folder: Path, quantization: str | None, calibration: Iterator[NDArray[np.uint8]], text: str
) -> None:
    """A folder of model.xml, the network, and model.bin, its weights: uint8 in, float32 answers alone out.

    It is made of `source`, an ONNX file, for `int8` of what `write_onnx` makes of that; `float16` quantizes the
    weights. `text` is its metadata, `cnnctl` of the rt_info in model.xml.

    Raises:
        RunError: OpenVINO lacks an operator that the network needs.
        OSError: it cannot be written.
    """
    import openvino

    source = _without_features(source)
    if quantization == INT8:
        source = _int8(source, folder.with_name("quantized.onnx"), calibration).SerializeToString()
    try:
        model = openvino.Core().read_model(source)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        reason = next((line.removeprefix("-- ") for line in lines if line.startswith("-- ")), lines[-1])
        raise RunError(f"OpenVINO cannot compute this network: {reason}", "export it to onnx") from None
    model.set_rt_info(text, [METADATA_KEY])
    folder.mkdir()
    path = folder / OPENVINO_MODEL
    try:
        openvino.save_model(model, path, compress_to_fp16=quantization == FLOAT16)
        is_whole = path.read_bytes().rstrip().endswith(b"</net>")
    except RuntimeError:  # of a full disk OpenVINO says "iostream error"
        is_whole = False
    if not is_whole:
        (folder / "room").write_bytes(bytes(len(source)))  # here the system says what is wrong
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def write_litert(
    model: Any, path: Path, quantization: str | None, calibration: Iterator[NDArray[np.uint8]], text: str
) -> None:
    """A .tflite file that takes one image at a time, as phones and accelerators want it: uint8 in, float32 out.

    The model is a float32 keras.Sequential on TensorFlow, with its pixels' scaling inside, or one with views around it,
    whose input is then float32 for `int8`. `float16` quantizes the
    weights; `int8` weights and arithmetic, wherever LiteRT has an operator for integers, by batches of training images.
    `text` is its metadata.

    Raises:
        RunError: LiteRT lacks an operator that the network needs.
        OSError: it cannot be written.
    """
    import keras
    import tensorflow as tf
    from tensorflow.lite.python.convert import ConverterError

    height, width, channels = model.input_shape[1:]
    dtype = "uint8"
    settings: dict[str, Any] = {}
    target: dict[str, Any] = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # a phone has no others
    if quantization is not None:
        settings["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if quantization == FLOAT16:
        target["supported_types"] = [tf.float16]
    elif quantization == INT8:
        # the quantizer makes uint8 of a float32 input, but would leave arithmetic on one of uint8 in float32
        if isinstance(model, keras.Sequential):
            model = keras.Sequential([keras.layers.Input((height, width, channels), name=_INPUT), *model.layers])
        dtype = "float32"
        settings["representative_dataset"] = lambda: _samples(calibration)
        settings["inference_input_type"] = tf.uint8
    signature = [keras.InputSpec(shape=(1, height, width, channels), dtype=dtype, name=_INPUT)]
    try:
        with _saved_by_tensorflow(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.export(
                str(path), format="litert", verbose=False, input_signature=signature, target_spec=target, **settings
            )
    except ConverterError as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise RunError(f"LiteRT cannot compute this network: {reason}", "export it to onnx") from None
    _add_metadata(path, text)


def _samples(batches: Iterator[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.float32]]]:
    """Each image by itself as float32.

    The first one gets a black and a white pixel: then the pixels' scale is exactly 1, and uint8 means itself.
    """
    for number, image in enumerate(chain.from_iterable(batches)):
        sample = image.astype(np.float32)
        if number == 0:
            sample[0, 0], sample[-1, -1] = 0, 255
        yield [sample[None]]


def _add_metadata(path: Path, text: str) -> None:
    """Keep a text in the file as LiteRT's Model.metadata, under our name."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_KEY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def write_savedmodel(model: Any, folder: Path, text: str) -> None:
    """A SavedModel folder of a model as `write_litert` takes it, with its metadata in assets.extra/cnnctl.json.

    Raises:
        OSError: it cannot be written.
    """
    with _saved_by_tensorflow():
        model.export(str(folder), format="tf_saved_model", verbose=False)
    extra = folder / "assets.extra"  # TensorFlow leaves it alone
    extra.mkdir()
    (extra / f"{METADATA_KEY}.json").write_text(text + "\n", encoding="utf-8", errors="surrogateescape")


@contextmanager
def _saved_by_tensorflow() -> Iterator[None]:
    """A block in which TensorFlow writes files; TensorFlow must have been imported.

    Raises:
        OSError: instead of TensorFlow's own errors.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(error.message.rpartition("; ")[2].partition(" [Op:")[0]) from error

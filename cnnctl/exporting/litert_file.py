"""A Keras model as a LiteRT file, by Keras' exporter and LiteRT's own quantizer; with TensorFlow and ai-edge-litert."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.errors import RunError
from cnnctl.exporting.formats import FLOAT16, INT8
from cnnctl.exporting.place import saved_by_tensorflow
from cnnctl.inference.model import METADATA_KEY

_INPUT = "image"


def write_litert(
    model: Any, path: Path, quantization: str | None, calibration: Iterator[NDArray[np.uint8]], text: str
) -> None:
    """A .tflite file that takes one image at a time, as phones and accelerators want it.

    Args:
        model: A float32 keras.Sequential on TensorFlow, with its pixels' scaling inside.
        path: Where it goes.
        quantization: `float16`: the weights; `int8`: weights and arithmetic, wherever LiteRT has an operator for
            integers; None for float32. Pixels are uint8 and probabilities float32 in any case.
        calibration: Batches of training images, for int8.
        text: Its metadata.

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
        model = keras.Sequential([keras.layers.Input((height, width, channels), name=_INPUT), *model.layers])
        dtype = "float32"
        settings["representative_dataset"] = lambda: _samples(calibration)
        settings["inference_input_type"] = tf.uint8
    signature = [keras.InputSpec(shape=(1, height, width, channels), dtype=dtype, name=_INPUT)]
    try:
        with saved_by_tensorflow(), warnings.catch_warnings():
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
    is_first = True
    for batch in batches:
        for image in batch.astype(np.float32):
            if is_first:
                image[0, 0], image[-1, -1] = 0, 255
                is_first = False
            yield [image[None]]


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


def read_metadata(path: Path) -> str | None:
    """The text that `write_litert` kept in a file; None where there is none."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    for entry in model.metadata or []:
        if entry.name.decode() == METADATA_KEY:
            return bytes(model.buffers[entry.buffer].data).decode("utf-8", "surrogateescape")
    return None

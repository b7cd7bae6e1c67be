"""The process that says why: it loads Keras once it is asked, and ends when nobody can ask any more.

A line of JSON comes in on stdin for each question and goes out on stdout for each answer. The question: `shape` and
`pixels` (base64) of an image as the network gets it, `shipped` (what model.onnx answers), `top`, and `thresholds` where
images may have several labels, else null. The answer is that of POST /v1/explain, or `error` and `hint`, or the
`traceback` of a bug.
"""

import base64
import json
import os
import sys
import traceback
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnctl.errors import CnnctlError
from cnnctl.runs import Run

if TYPE_CHECKING:
    from cnnctl.data.decoder.images import Image
    from cnnctl.models.of_run import Network

_NICENESS = 10
"""Predictions come first."""


def main() -> None:
    """Answer questions on the run that the last argument names until stdin ends."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whatever libraries print is no answer
        if hasattr(os, "nice"):
            os.nice(_NICENESS)
        run = Run(Path(sys.argv[-1]))
        for line in sys.stdin.buffer:
            try:
                answer = _answer(run, json.loads(line))
            except CnnctlError as error:
                answer = {"error": error.message, "hint": error.hint}
            except Exception:
                answer = {"traceback": traceback.format_exc()}
            answers.write(json.dumps(answer).encode() + b"\n")
            answers.flush()


@cache
def _network(run: Run) -> "Network":
    from cnnctl.models.backend import choose_backend, import_keras_on_the_processor
    from cnnctl.models.of_run import load_network

    import_keras_on_the_processor(choose_backend("auto"))
    return load_network(run)


def _answer(run: Run, question: dict[str, Any]) -> dict[str, Any]:
    network = _network(run)
    from cnnctl.explaining.activation_maps import GRAD_CAM, class_maps
    from cnnctl.explaining.drawing import under_heat
    from cnnctl.explaining.explain import agreed, classes_with_maps
    from cnnctl.explaining.sections import enlarged
    from cnnctl.models.of_run import features

    image = np.frombuffer(base64.b64decode(question["pixels"]), np.uint8).reshape(question["shape"])
    probabilities = agreed(network, image, np.array(question["shipped"], np.float32))
    thresholds = None if question["thresholds"] is None else np.array(question["thresholds"], np.float32)
    numbers = classes_with_maps(probabilities, question["top"], thresholds)
    row = features(network.plan)
    picture = enlarged(image)
    return {
        "method": GRAD_CAM if row is not None else "gradient times input",
        "layer": None if row is None else row.name,
        "maps": [
            {
                "label": network.classes[found.number],
                "probability": float(probabilities[found.number]),
                "silent": not found.values.any(),
                "picture": _address(under_heat(picture, found.values)),
            }
            for found in class_maps(network, row, image, numbers)
        ],
    }


def _address(picture: "Image") -> str:
    """An RGB picture as the address of an <img>."""
    from cnnctl.pictures.page import compact
    from cnnctl.pictures.page import picture as address
    from cnnctl.serving.pictures import png

    kind, content = compact(png(picture))
    return address(content, kind)

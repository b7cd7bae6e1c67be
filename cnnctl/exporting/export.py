"""A run as a file for another runtime, kept only if it proves to be the same model there."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cnnctl.errors import RunError, UsageError
from cnnctl.exporting.formats import (
    FLOAT16,
    INT8,
    LITERT,
    MAX_ACCURACY_DROP,
    ONNX,
    OPENVINO,
    SAVEDMODEL,
    Format,
    choose_format,
    insist_on_tools,
)
from cnnctl.exporting.parity import (
    Parity,
    Predict,
    calibration_paths,
    compare,
    decoded,
    images_to_compare_on,
    limits_for,
)
from cnnctl.exporting.place import default_path, publish, refuse_unfit, size_of, staged
from cnnctl.exporting.runtimes import Opened, open_exported
from cnnctl.exporting.writers import write_litert, write_onnx, write_openvino, write_savedmodel
from cnnctl.inference.model import Classifier, load_classifier, metadata
from cnnctl.models.backend import TENSORFLOW, choose_backend, import_keras_on_the_processor, title
from cnnctl.models.of_run import load_network
from cnnctl.models.views import with_views
from cnnctl.runs import Run
from cnnctl.system.loudness import lap
from cnnctl.system.watcher import Watcher
from cnnctl.version import __version__


@dataclass(frozen=True)
class ExportRequest:
    """What is asked for; without an output it is named after the run, in the current folder.

    `max_drop` are percentage points of accuracy that int8 may cost; None is MAX_ACCURACY_DROP.
    """

    form: Format
    quantization: str | None = None
    output: Path | None = None
    max_drop: float | None = None


@dataclass(frozen=True)
class Exported:
    """What was written, its bytes, how far it is from the run's model, and the content of the JSON beside it."""

    path: Path
    size: int
    parity: Parity
    content: dict[str, Any]


def parse_wish(name: str, quantization: str | None, output: Path | None, max_drop: float | None) -> ExportRequest:
    """A wish in the words of the command line.

    Raises:
        UsageError: it contradicts itself, or asks for what there is not.
        MachineError: what makes or runs such a file is not installed.
    """
    form = choose_format(name, quantization)
    if max_drop is not None and quantization != INT8:
        raise UsageError(
            "--max-accuracy-drop belongs to --quantize int8", "leave it out: other formats must keep the accuracy"
        )
    insist_on_tools(form)
    return ExportRequest(form, quantization, output, max_drop)


def export(run: Run, wish: ExportRequest, watcher: Watcher) -> Exported:
    """Write a run's model in another form, and prove that it is the same model.

    The exported file answers the run's validation images in its own runtime. Where it is further from the run's
    model.onnx than its limits allow (an unquantized ONNX file is that model, and is compared with model.keras),
    nothing is left of it.

    Raises:
        RunError: the run has no usable model, or the exported one is not the same.
        UsageError: something is there already.
        DataError: an image of the run is gone or damaged.
        DiskError: the file cannot be written.
        MachineError: Keras is needed and cannot be imported.
    """
    form, quantization = wish.form, wish.quantization
    path = wish.output or default_path(run.title, form, quantization)
    refuse_unfit(path, form)
    classifier = load_classifier(run)
    spec = classifier.spec
    labelled = images_to_compare_on(run, classifier.classes, classifier.thresholds)
    calibration = decoded(calibration_paths(run) if quantization == INT8 else [], spec)
    text = metadata(spec, classifier.classes, classifier.several)
    is_made_of_onnx = form == OPENVINO or (form == ONNX and quantization is not None)
    model = None if is_made_of_onnx else _load(run, form, quantization, watcher)
    reference: Predict = classifier.probabilities
    name = run.onnx_model.name
    if form == ONNX and model is not None:
        reference, name = _keras_probabilities(model), run.keras_model.name
    drop = MAX_ACCURACY_DROP if wish.max_drop is None else wish.max_drop
    limits = limits_for(quantization, len(labelled.paths), drop)

    with staged(path) as made:
        watcher.busy(f"writing {form.title}")
        if form == ONNX:
            write_onnx(run.read_bytes(run.onnx_model), made, quantization, calibration, text)
        elif form == OPENVINO:
            write_openvino(run.read_bytes(run.onnx_model), made, quantization, calibration, text)
        elif form == SAVEDMODEL:
            write_savedmodel(model, made, text)
        else:
            write_litert(model, made, quantization, calibration, text)
        lap(f"writing {form.title}")
        opened = open_exported(made, form)

        progress = partial(watcher.progress, "comparing")
        parity = compare(reference, opened.predict, labelled, spec, name, limits, progress)
        lap("comparing")
        _insist(parity, wish)
        content = _describe(made, run, wish, classifier, opened, parity)
        publish(made, path, content)
    return Exported(path, content["bytes"], parity, content)


def _load(run: Run, form: Format, quantization: str | None, watcher: Watcher) -> Any:
    """model.keras, with the views of the run, which Keras computes on the processor."""
    backend = choose_backend("auto") if form == ONNX else TENSORFLOW
    watcher.busy(f"loading {title(backend)}")
    import_keras_on_the_processor(backend)
    network = load_network(run)
    if network.test_time is not None and (form, quantization) == (LITERT, INT8):
        return with_views(network.model, network.test_time, "float32")  # as write_litert wants it
    return network.answering


def _keras_probabilities(model: Any) -> Predict:
    return lambda images: np.asarray(model.predict_on_batch(images), np.float32)


def _insist(parity: Parity, wish: ExportRequest) -> None:
    """Refuse a file that is not the same model."""
    fault = parity.fault()
    if fault is None:
        return
    hints = {
        INT8: f"--quantize {FLOAT16} loses less; --max-accuracy-drop POINTS allows int8 more",
        FLOAT16: "leave --quantize out, or use int8, which measures the ranges of the activations",
        None: "please report the config of the run as a bug",
    }
    what = " ".join(filter(None, (wish.quantization, wish.form.title)))
    raise RunError(f"the {what} model is not kept: {fault}", hints[wish.quantization])


def _describe(
    made: Path, run: Run, wish: ExportRequest, classifier: Classifier, opened: Opened, parity: Parity
) -> dict[str, Any]:
    """The content of PATH.json: all that a stranger needs in order to use the file, and nothing of this machine."""
    spec, classes = classifier.spec, classifier.classes
    units = opened.output_shape[-1]
    activation = "sigmoid" if units == 1 or classifier.several else "softmax"
    meaning = "the probability of each class, in the order of classes"
    if classifier.thresholds is not None:
        meaning += "; an image has each whose probability is not below its threshold"
    elif units == 1:
        meaning = f"the probability of {classes[1]}; that of {classes[0]} is 1 minus it"
    thresholds = None if classifier.thresholds is None else classifier.thresholds.tolist()
    return {
        "file": made.name,
        "format": wish.form.name,
        "quantization": wish.quantization,
        "bytes": size_of(made),
        "run": run.title,
        "cnnctl": __version__,
        "classes": list(classes),
        "signature": opened.signature,
        "input": {
            "name": opened.input_name,
            "dtype": "uint8",
            "shape": list(opened.input_shape),
            "height": spec.height,
            "width": spec.width,
            "channels": spec.channels,
            "colours": "grey" if spec.channels == 1 else "RGB",
            "values": "0 to 255; the model scales them itself",
            "fit": spec.fit,
            "background": list(spec.background),
            "resizing": "area where the image is shrunk, bilinear where it is enlarged",
        },
        "output": {
            "name": opened.output_name,
            "dtype": "float32",
            "shape": list(opened.output_shape),
            "activation": activation,
            "meaning": meaning,
            **({} if thresholds is None else {"thresholds": dict(zip(classes, thresholds, strict=True))}),
        },
        "parity": parity.to_json(),
    }

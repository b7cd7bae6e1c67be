"""Runs that need no training, and exported files run by nothing but plain calls of their own runtimes."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from cnnctl.config import load
from cnnctl.config.dump import to_yaml
from cnnctl.data.decoder.images import ImageSpec, read_image
from cnnctl.exporting.formats import FORMATS, LITERT, ONNX, OPENVINO, Format
from cnnctl.models.save import Answering, save_keras, save_onnx
from cnnctl.runs import Run
from cnnctl.system import files
from tests.training.build import network, pixels

EVERY_FORM: list[tuple[Format, str | None]] = [
    (form, quantization) for form in FORMATS for quantization in (None, *form.quantizations)
]
"""Each format with each of its quantizations."""

MODERN = (
    "conv2d: {filters: 6, kernel_size: 3, activation: gelu}",
    "batch_normalization",
    "activation: {activation: silu}",
    "l2_pooling2d: {pool_size: 2}",
    "layer_normalization",
    "leaky_relu",
    "flatten",
    "dense: {units: 8, activation: elu}",
)
"""Layers of today's networks, for exports."""

ITEMS = ("conv2d: {filters: 4, kernel_size: 3, strides: 2, activation: relu}", "flatten")


def hand_made(folder: Path, photos: Path, classes: tuple[str, ...], output: str = "softmax", seed: int = 1) -> Run:
    """A run of random weights whose images are those photos: a third of them for validation.

    Args:
        folder: The run directory.
        photos: Class folders.
        classes: Those that are taken.
        output: softmax or sigmoid.
        seed: Of the weights.
    """
    run = Run(folder)
    items = "".join(f"  - {item}\n" for item in ITEMS)
    text = f"output: {output}\ndata: {{train: {photos}, image: {{height: 11, width: 12}}}}\nmodel:\n{items}"
    files.write_text(folder / "written.yaml", text)
    config = load(folder / "written.yaml")
    (folder / "written.yaml").unlink()
    files.write_text(run.config, to_yaml(config))
    files.write_json(run.classes, list(classes))
    paths = [(str(path), name) for name in classes for path in sorted((photos / name).iterdir())]
    rows = [(path, name, "validation" if at % 3 == 0 else "train") for at, (path, name) in enumerate(paths)]
    files.write_csv(run.split, ("path", "label", "split"), rows)
    model, plan = network(*ITEMS, shape=(11, 12, 3), classes=len(classes), output=output, seed=seed)
    model.set_weights([weight * 3 for weight in model.get_weights()])
    save_keras(model, run)
    spec = ImageSpec(11, 12)
    save_onnx(Answering(model, plan), run, spec, classes, pixels(4, (11, 12, 3)), np.arange(4), "validation")
    return run


def images_of(run: Path, split: str, spec: ImageSpec) -> tuple[np.ndarray, list[str]]:
    """uint8 (N, height, width, channels) and the labels of a split, read from split.csv by the csv module alone."""
    with (run / "split.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return np.stack([read_image(row["path"], spec) for row in rows]), [row["label"] for row in rows]


def answers(path: Path, form: Format, images: np.ndarray) -> np.ndarray:
    """float32 (N, units): what a stranger's program gets from an exported file."""
    if form == ONNX:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {session.get_inputs()[0].name: images})[0])
    if form == LITERT:
        from ai_edge_litert.interpreter import Interpreter

        runner = Interpreter(model_path=str(path)).get_signature_runner()
        (name,) = runner.get_input_details()
        return np.concatenate([next(iter(runner(**{name: image[None]}).values())) for image in images])
    if form == OPENVINO:
        import openvino

        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        return np.array(openvino.Core().compile_model(path / "model.xml", "CPU", exact)(images)[0])
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))  # by itself, `serve` would not keep its variables
    return np.asarray(loaded.serve(images))


def metadata_of(path: Path, form: Format) -> Any:
    """What the file itself says of its use, as text."""
    if form == ONNX:
        import onnx

        (entry,) = onnx.load(str(path)).metadata_props
        return entry.value
    if form == LITERT:
        from ai_edge_litert import schema_py_generated as schema

        model = schema.Model.GetRootAs(path.read_bytes(), 0)
        found = [model.Metadata(at) for at in range(model.MetadataLength())]
        (entry,) = (one for one in found if one.Name() == b"cnnctl")
        return model.Buffers(entry.Buffer()).DataAsNumpy().tobytes().decode()
    if form == OPENVINO:
        import openvino

        return openvino.Core().read_model(path / "model.xml").get_rt_info(["cnnctl"]).astype(str)
    return (path / "assets.extra" / "cnnctl.json").read_text().strip()

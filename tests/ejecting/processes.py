"""What the tests of scripts do in a process of its own, where a script's layers cannot get in the way of cnnctl's.

python -m tests.ejecting.processes compare JSON    networks of scripts beside those of their configs
python -m tests.ejecting.processes rates JSON      learning rates of scripts
python -m tests.ejecting.processes backbones JSON    backbones of scripts beside those of their configs
python -m tests.ejecting.processes train SCRIPT... one training after the other
"""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ASIDE = ("name", "dtype", "seed")
"""Settings of a layer that no config has."""


def module_of(path: str) -> ModuleType:
    """A script, imported."""
    spec = importlib.util.spec_from_file_location(Path(path).stem.replace("-", "_"), path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def described(model: Any) -> list[list[Any]]:
    """[class, output shape, parameters, settings] of each layer."""
    found = []
    for layer in model.layers:
        settings = {key: plain(value) for key, value in layer.get_config().items() if key not in ASIDE}
        found.append([type(layer).__name__, list(layer.output.shape), layer.count_params(), settings])
    return found


def plain(value: Any) -> Any:
    """A setting as JSON has it, without the seeds of initializers and penalties of nothing."""
    if isinstance(value, dict):
        if value.get("class_name") == "L1L2" and not any(value["config"].values()):
            return None
        return {key: plain(one) for key, one in value.items() if key not in ("seed", "registered_name", "module")}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def compare(cases: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The networks of a script and of its config, and how far apart their probabilities are with equal weights."""
    from cnnctl.architecture import make_plan
    from cnnctl.architecture.scaling import SYMMETRIC, UNIT, Scaling
    from cnnctl.config import load
    from cnnctl.models.build import build_network

    answers = []
    for case in cases:
        module = module_of(case["script"])
        config = load(Path(case["config"]))
        image = config.data.image
        shape = (image.height, image.width, image.channels)
        scaling = {"auto": UNIT, "unit": UNIT, "symmetric": SYMMETRIC}.get(image.scaling)
        if scaling is None:
            scale = tuple(1 / one for one in module.DEVIATION)
            scaling = Scaling(scale, tuple(-mean * one for mean, one in zip(module.MEAN, scale, strict=True)))
        plan = make_plan(config.model, shape, len(module.CLASSES), config.output)
        ours, theirs = build_network(plan, scaling, "float32", seed=1), module.build_model()
        theirs.set_weights(ours.get_weights())
        pixels = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
        difference = np.abs(np.asarray(ours(pixels)) - np.asarray(theirs(pixels))).max()
        answers.append({"ours": described(ours), "theirs": described(theirs), "difference": float(difference)})
    return answers


def backbones(cases: list[dict[str, str]]) -> list[dict[str, Any]]:
    """How far apart the features of a script and of its config are with equal weights, and those in training; layers.

    The script's network is built as if it had loaded the published weights.
    """
    import keras
    from keras.src.utils import file_utils

    from cnnctl.architecture import make_plan
    from cnnctl.config import load
    from cnnctl.models.build import build_network

    file_utils.get_file = lambda *_, **__: ""
    keras.Model.load_weights = lambda *_, **__: None
    answers = []
    for case in cases:
        config = load(Path(case["config"]))
        shape = (config.data.image.height, config.data.image.width, 3)
        plan = make_plan(config.model, shape, 2)
        assert plan.backbone is not None
        assert plan.backbone.graph.scaling is not None
        whole = build_network(plan, plan.backbone.graph.scaling, "float32", seed=1)
        ours, theirs = (stem(keras, model, shape) for model in (whole, module_of(case["script"]).build_model()))
        weights = {layer.name: layer.get_weights() for layer in ours.layers[1].layers if layer.weights}
        for layer in theirs.layers[1].layers:
            if isinstance(layer, keras.layers.Normalization) and layer.weights:
                deviation = np.array([0.229, 0.224, 0.225], np.float32)  # what the published file has as variance
                layer.set_weights([np.array([0.485, 0.456, 0.406], np.float32), deviation, np.zeros((), np.int32)])
                layer.finalize_state()
            elif layer.weights:
                layer.set_weights(weights.pop(layer.name))
        assert not weights
        pixels = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
        wanted, found = np.asarray(ours(pixels)), np.asarray(theirs(pixels))
        in_training, largest = np.asarray(theirs(pixels, training=True)), np.abs(wanted).max()
        assert largest > 0
        distances = {"difference": wanted - found, "in_training": in_training - found}
        names, others = ([layer.name for layer in one.layers[1].layers] for one in (ours, theirs))
        answers.append({name: float(np.abs(one).max() / largest) for name, one in distances.items()})
        common = [[name for name in one if name in {*names} & {*others}] for one in (names, others)]
        answers[-1] |= {"layers": names, "same_order": common[0] == common[1]}
        keras.backend.clear_session()
    return answers


def stem(keras: Any, model: Any, shape: tuple[int, ...]) -> Any:
    """The scaling and the backbone of a network."""
    return keras.Sequential([keras.Input(shape, dtype="uint8"), *model.layers[:2]])


def rates(cases: list[dict[str, Any]]) -> list[list[float]]:
    """The learning rate of each step of a script with so many steps an epoch."""
    answers = []
    for case in cases:
        module = module_of(case["script"])
        names = {**vars(module), "training": range(case["steps"])}
        schedule = eval(case["expression"], names)
        answers.append([float(schedule(step)) for step in range(module.EPOCHS * case["steps"])])
    return answers


def train(scripts: list[str]) -> list[str]:
    """Train by each script."""
    for script in scripts:
        print("training by", Path(script).name, flush=True)
        module_of(script).main()
    return scripts


if __name__ == "__main__":
    task, *words = sys.argv[1:]
    if task == "train":
        train(words)
    elif task == "backbones":
        (path,) = map(Path, words)
        path.write_text(json.dumps(backbones(json.loads(path.read_text()))))
    else:
        for path, answer in zip(map(Path, words), (compare, rates), strict=True):
            path.write_text(json.dumps(answer(json.loads(path.read_text()))))

"""Models and checkpoints that are cut off or damaged."""

import random
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from cnnctl.architecture.keras_file import read_scaling
from cnnctl.errors import RunError
from cnnctl.inference.model import load_classifier
from cnnctl.runs import Run
from cnnctl.runs.checkpoints import Checkpoint, commit, newest
from cnnctl.system import files
from tests.inference.build import knowing_run

FOLDER = Path(tempfile.mkdtemp(prefix="cnnctl-fuzz."))


@cache
def material() -> tuple[Run, dict[str, bytes]]:
    """A run with a model of each kind and a checkpoint, and the bytes of them."""
    from cnnctl.models.backend import import_keras

    import_keras()
    from cnnctl.models.save import save_keras
    from tests.training.build import network

    run = knowing_run(FOLDER / "run")
    model, _ = network("conv2d: {filters: 4, kernel_size: 3}", "batch_normalization", "flatten")
    save_keras(model, run)
    files.write_json(run.classes, ["red", "green", "blue"])
    arrays = {"model": [np.arange(1000, dtype=np.float32)], "optimizer": [np.int64(3)], "best": []}
    commit(run, Checkpoint(1, {"history": [{"loss": 0.5}]}, arrays))
    made = [run.keras_model, run.onnx_model, run.unknown, run.checkpoints / "epoch-0001.npz"]
    return run, {str(path): path.read_bytes() for path in made}


def once(chance: random.Random) -> None:
    """One file is damaged: reading it gives what it gave before, or an error of ours."""
    run, contents = material()
    place = chance.choice(list(contents))
    whole = contents[place]
    data = bytearray(whole)
    if chance.random() < 0.5:
        del data[chance.randrange(len(data)) :]
    else:
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    Path(place).write_bytes(data)
    try:
        if place.endswith(".keras"):
            from cnnctl.models.warm_start import read_start

            read_start(place)
            read_scaling(Path(place))
        elif place.endswith(".onnx"):
            load_classifier(run).probabilities(np.zeros((1, 6, 4, 3), np.uint8))
        elif place.endswith("unknown.json"):
            load_classifier(run, tells_unknown=True).answers(np.zeros((1, 6, 4, 3), np.uint8))
        else:
            found = newest(run, lambda text: None)
            assert found is not None
            assert found.arrays["model"][0].tolist() == list(range(1000))
    except RunError as error:
        assert place.rpartition("/")[0].removesuffix("/checkpoints") in error.message, error.message
    finally:
        Path(place).write_bytes(whole)

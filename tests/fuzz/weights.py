"""Files of weights that are cut off or damaged, in every format."""

import random
import tempfile
from functools import cache
from pathlib import Path

import h5py
import numpy as np

from cnnctl.errors import RunError
from cnnctl.weights.find import read_weights
from tests.weights.test_hdf5 import write_legacy
from tests.weights.torch_pickles import state, write_old, write_zip

FOLDER = Path(tempfile.mkdtemp(prefix="cnnctl-fuzz."))
SHAPES = {"stem_conv": ((3, 3, 3, 8),), "stem_bn": ((8,),) * 4}


@cache
def material() -> dict[Path, bytes]:
    """The same two layers in every format."""
    arrays = {name: [np.ones(shape, np.float32) for shape in shapes] for name, shapes in SHAPES.items()}
    tensors = {"_conv_stem.weight": np.ones((8, 3, 3, 3), np.float32)}
    tensors |= {f"_bn0.{name}": np.ones(8, np.float32) for name in ("weight", "bias", "running_mean", "running_var")}
    modern = FOLDER / "modern.weights.h5"
    with h5py.File(modern, "w") as file:
        for number, (name, own) in enumerate(arrays.items()):
            group = file.create_group(f"layers/layer_{number}/vars")
            group.attrs["name"] = name
            for place, array in enumerate(own):
                group[str(place)] = array
    made = [
        modern,
        write_legacy(FOLDER / "legacy.h5", arrays, {name: name for name in arrays}),
        write_zip(FOLDER / "zip.pth", state(tensors)),
        write_old(FOLDER / "old.pth", state(tensors)),
    ]
    return {path: path.read_bytes() for path in made}


def once(chance: random.Random) -> None:
    """One file is damaged: arrays of the right shapes come out of it, or an error of ours that names it."""
    contents = material()
    path = chance.choice(list(contents))
    data = bytearray(contents[path])
    if chance.random() < 0.2:
        del data[chance.randrange(len(data)) :]
    else:
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(data)
    try:
        found = read_weights(path, SHAPES, application="EfficientNetLite0").arrays
    except RunError as error:
        assert str(path) in error.message, error.message
    else:
        assert {name: tuple(one.shape for one in own) for name, own in found.items()} == SHAPES
    finally:
        path.write_bytes(contents[path])

"""A Keras model as a TensorFlow SavedModel, by Keras' exporter. It takes TensorFlow."""

from pathlib import Path
from typing import Any

from cnnctl.exporting.place import saved_by_tensorflow
from cnnctl.inference.model import METADATA_KEY


def write_savedmodel(model: Any, folder: Path, text: str) -> None:
    """A SavedModel folder, in which assets.extra/cnnctl.json says what the model takes and answers.

    Args:
        model: A float32 keras.Sequential on TensorFlow, with its pixels' scaling inside.
        folder: Where it goes.
        text: Its metadata.

    Raises:
        OSError: it cannot be written.
    """
    with saved_by_tensorflow():
        model.export(str(folder), format="tf_saved_model", verbose=False)
    extra = folder / "assets.extra"  # TensorFlow leaves it alone
    extra.mkdir()
    (extra / f"{METADATA_KEY}.json").write_text(text + "\n", encoding="utf-8", errors="surrogateescape")

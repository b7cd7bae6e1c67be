"""The weights of a backbone, and the file that holds it alone."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.architecture import Plan
from cnnctl.models.build import node_layers
from cnnctl.models.graph import Arrays, assign, build
from cnnctl.system import files
from cnnctl.system.watcher import Watcher

if TYPE_CHECKING:
    from cnnctl.weights.find import FoundWeights


def backbone_weights(plan: Plan, watcher: Watcher | None = None, fetch: bool = False) -> "FoundWeights | None":
    """The published or stored weights of the backbone of a plan; None where it has none.

    Args:
        plan: A plan without problems.
        watcher: Hears of a download.
        fetch: Whether they may be downloaded.

    Raises:
        CnnctlError: they cannot be found or read, or do not fit.
    """
    backbone = plan.backbone
    if backbone is None or (backbone.file is None and backbone.weights is None):
        return None
    from cnnctl.weights.find import find_weights, read_weights

    row = plan.layers[0]
    shapes = backbone.graph.weight_shapes(row.input_shape)
    if backbone.file is not None:
        return read_weights(Path(backbone.file), shapes, backbone.graph.places)
    return find_weights(row.name, backbone.weights, shapes, watcher, fetch)


def save_backbone(plan: Plan, seed: int, arrays: Arrays | None, path: Path) -> tuple[str, ...]:
    """Write the backbone of a plan as a .keras file of stock layers, in float32.

    Without `arrays` it has the first weights of a training by the seed.

    Returns:
        The names of its layers, in the order of Keras.

    Raises:
        RunError: the arrays are not those of its layers.
        DiskError: it cannot be written.
    """
    import keras

    backbone, row = plan.backbone, plan.layers[0]
    assert backbone is not None
    keras.config.set_dtype_policy("float32")
    model = build(backbone.graph, row.name, row.input_shape, node_layers(seed))
    if arrays is not None:
        assign(model, arrays)
    with files.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.aside_folder(path.parent) as folder:
            made = Path(folder) / "backbone.keras"
            model.save(made)
            files.write_bytes(path, made.read_bytes())
    return tuple(layer.name for layer in model.layers)

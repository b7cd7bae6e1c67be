"""Layers in an order that computes the same with less work, for the network that trains."""

from collections.abc import Sequence
from dataclasses import replace

from cnnctl.architecture import LayerPlan
from cnnctl.layers import ActivationLayer, Conv2D, RealLayer


def pool_first(rows: Sequence[LayerPlan]) -> tuple[LayerPlan, ...]:
    """Max pooling before the activation that it follows: f(max(x)) = max(f(x)) for an f that never falls.

    A 2x2 pooling leaves a quarter of the values to the activation. The activation of a convolution becomes a layer
    of its own, `<convolution>_activation`; activations have no weights, so all weights stay as and where they are.
    """
    ordered: list[LayerPlan] = []
    for row in rows:
        before = ordered[-1] if ordered else None
        if before is None or not (row.layer.takes_maximum and before.layer.never_falls):
            ordered.append(row)
        elif before.layer.has_kernels:
            linear = before.layer.model_copy(update={"activation": "linear"})
            activation = ActivationLayer.model_validate({"activation": before.layer.function})
            ordered[-1:] = [replace(before, layer=linear), row, _after(row, f"{before.name}_activation", activation)]
        elif before.layer.is_activation:
            pooled = replace(row, input_shape=before.input_shape)
            ordered[-1:] = [pooled, _after(row, before.name, before.layer)]
        else:
            ordered.append(row)
    return tuple(ordered)


def split_relus(rows: Sequence[LayerPlan]) -> dict[str, str]:
    """The convolutions whose ReLU `pool_first` moved, with the name of its row.

    Such a ReLU costs least where its values are computed by the convolution itself, before the pooling, and its
    gradient where the values are few, after the pooling: see models/relus.py.
    """
    moved = {f"{row.name}_activation": row.name for row in rows if isinstance(row.layer, Conv2D)}
    relus = [row.name for row in rows if isinstance(row.layer, ActivationLayer) and row.layer.activation == "relu"]
    return {moved[name]: name for name in relus if name in moved}


def _after(pooling: LayerPlan, name: str, layer: RealLayer) -> LayerPlan:
    """The row of an activation that comes after a pooling."""
    shape = pooling.output_shape
    return LayerPlan(name, layer, pooling.path, shape, shape, 0, 0, 0, pooling.receptive_field)

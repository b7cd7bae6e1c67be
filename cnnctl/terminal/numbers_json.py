"""The numbers of one image in a trained network as JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnctl.layers.compute import exponent_shift

if TYPE_CHECKING:
    from cnnctl.explaining.descent import DescentStep, OutputNumbers
    from cnnctl.explaining.numbers import Numbers, UnitNumbers


def numbers_json(found: "Numbers") -> dict[str, Any]:
    """What `explain --numbers --json` prints: nested lists of numbers; a patch is (height, width, channels)."""
    order = np.argsort(-found.output.probabilities, kind="stable")
    chances = [{"label": found.classes[at], "probability": float(found.output.probabilities[at])} for at in order]
    flat = next((one.row for one in found.layers if one.row.layer.flattens), None)
    value = {
        **({"views": found.views} if found.views > 1 else {}),
        "input_shape": list(found.plan.input_shape),
        "scale": list(found.scaling.scale),
        "offset": list(found.scaling.offset),
        "layers": [
            {
                "name": one.row.name,
                "output_shape": list(one.row.output_shape),
                "smallest": one.smallest,
                "largest": one.largest,
            }
            for one in found.layers
        ],
        "flattened": None if flat is None else {"layer": flat.name, "values": flat.output_shape[0]},
        "unit": _unit_json(found.unit),
        "output": _output_json(found.output, found.classes),
        "gradient_descent": _descent_json(found.descent, found),
    }
    return {"path": found.path, "probabilities": chances, "numbers": value}


def _unit_json(unit: "UnitNumbers") -> dict[str, Any]:
    return {
        "layer": unit.layer.name,
        "place": list(unit.place),
        "input": None if unit.source is None else unit.source.name,
        "rows": list(unit.rows),
        "columns": list(unit.columns),
        "channels": list(unit.channels),
        "pixels": None if unit.pixels is None else unit.pixels.tolist(),
        "patch": unit.patch.tolist(),
        "weights": None if unit.weights is None else unit.weights.tolist(),
        "bias": unit.bias,
        "sum": unit.total,
        "activation": unit.layer.layer.function,
        "value": unit.value,
    }


def _output_json(output: "OutputNumbers", classes: Sequence[str]) -> dict[str, Any]:
    is_softmax = len(output.logits) > 1 and not output.several
    shift = exponent_shift(output.logits) if is_softmax else 0.0
    exponentials = np.exp(output.logits - shift) if is_softmax else np.exp(-np.maximum(output.logits, -700.0))
    return {
        "layer": output.layer.name,
        "activation": output.layer.layer.function,
        "classes": list(classes),
        "inputs": output.inputs.tolist(),
        "sums": (output.logits - output.biases).tolist(),
        "biases": output.biases.tolist(),
        "logits": output.logits.tolist(),
        "shift": shift,
        "exponentials": exponentials.tolist(),
        "probabilities": output.probabilities.tolist(),
    }


def _descent_json(step: "DescentStep", found: "Numbers") -> dict[str, Any]:
    return {
        "layer": found.output.layer.name,
        "true_class": found.classes[step.label],
        "true_class_from": step.label_from,
        "input": step.input,
        "unit": step.unit,
        "weight": step.weight,
        "x": step.x,
        "p": step.probability,
        "y": step.target,
        "gradient": step.gradient,
        "h": step.step,
        "loss": step.loss,
        "loss_above": step.loss_above,
        "loss_below": step.loss_below,
        "difference": step.difference,
        "disagreement": step.disagreement,
        "learning_rate": step.learning_rate,
        "new_weight": step.new_weight,
        "new_loss": step.new_loss,
    }

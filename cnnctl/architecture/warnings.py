"""Warnings about a network: what is possible, but rarely meant."""

from dataclasses import dataclass

from cnnctl.architecture.plan import LayerPath, LayerPlan, Plan
from cnnctl.architecture.planner import OUTPUT
from cnnctl.layers.notation import format_shape

_HEAVY = 500_000
"""Parameters of a dense layer that is not small anyway."""


@dataclass(frozen=True)
class PlanWarning:
    """A warning; `path` leads to the layer or the key that it is about."""

    path: LayerPath
    message: str
    hint: str


def find_warnings(plan: Plan) -> list[PlanWarning]:
    """All warnings about a possible network, in the order of its layers."""
    second = _second_output(plan)
    linear = _no_activation(plan) if not second else []  # its mend would be the opposite one
    found = (*linear, *second, *_lost_pixels(plan), *_heavy_dense(plan), *_small_receptive_field(plan))
    return list(dict.fromkeys(found))  # a repeat gives the same ones again


def _second_output(plan: Plan) -> list[PlanWarning]:
    """An output layer in the config, as texts about networks end in one: another one is appended to it."""
    *before, output = plan.layers
    rows = [row for row in before if not row.layer.is_transparent]
    if output.path != OUTPUT or not rows:
        return []
    last, classes = rows[-1], max(2, *output.output_shape)
    values = next((row for row in reversed(rows) if not row.layer.is_activation), last)
    if last.layer.function in ("softmax", "sigmoid"):
        message = f"{last.name} ends in {last.layer.function}, and the output layer is appended after it"
    elif values.layer.family == "dense" and values.output_shape[0] in (classes, *output.output_shape):
        message = f"{values.name} has as many units as the output layer, which is appended after it"
        last = values
    else:
        return []
    hint = "remove it: `output: softmax` or `sigmoid` says what is appended; a hidden layer takes activation: relu"
    return [PlanWarning(last.path, message, hint)]


def _no_activation(plan: Plan) -> list[PlanWarning]:
    """A linear layer followed by another, which may compute nothing that one of them alone could not."""
    found = []
    for index, row in enumerate(plan.layers[:-1]):
        if not row.layer.learns or row.layer.function != "linear":
            continue
        linear = True
        for following in plan.layers[index + 1 :]:
            if following.layer.is_transparent:
                linear = linear and following.layer.is_linear
                continue
            if following.layer.learns:
                effect = ": together they are one linear layer" if linear else ""
                message = f"{row.name} has no activation before {following.name}{effect}"
                found.append(PlanWarning(row.path, message, "add activation: relu, or an activation layer after it"))
            break
    return found


def _lost_pixels(plan: Plan) -> list[PlanWarning]:
    found = []
    for row in plan.layers:
        rows, columns = row.lost
        if rows or columns:
            parts = [f"{n} {word}{'s' if n > 1 else ''}" for n, word in ((rows, "row"), (columns, "column")) if n]
            size, last = format_shape(row.input_shape), " and ".join(parts)
            message = f"{row.name} never reads the last {last} of its {size} input"
            found.append(PlanWarning(row.path, message, "use padding: same or another image size"))
    return found


def _heavy_dense(plan: Plan) -> list[PlanWarning]:
    for row in plan.layers:
        if row.layer.family == "dense" and row.params >= 0.9 * plan.total_params and row.params > _HEAVY:
            share = row.params / plan.total_params
            message = f"{row.name} holds {row.params:,} of {plan.total_params:,} parameters ({share:.0%})"
            hint = "add pooling before it, or use global_average_pooling2d instead of flatten"
            return [PlanWarning(row.path, message, hint)]
    return []


def _last_with_field(plan: Plan) -> LayerPlan | None:
    rows = [row for row in plan.layers if row.receptive_field is not None]
    return rows[-1] if rows else None


def _small_receptive_field(plan: Plan) -> list[PlanWarning]:
    row = _last_with_field(plan)
    sees_all = any(other.layer.flattens for other in plan.layers)  # by the dense layers after it
    if row is None or row.receptive_field is None or not any(other.layer.has_kernels for other in plan.layers):
        return []
    if sees_all:
        return []
    height, width = plan.input_shape[:2]
    if 2 * row.receptive_field[0] >= height and 2 * row.receptive_field[1] >= width:
        return []
    seen = format_shape(row.receptive_field)
    after = "the layers after it only average over positions"
    message = f"the receptive field of {row.name} is {seen} pixels of a {height}x{width} image; {after}"
    return [PlanWarning(row.path, message, "add convolutions, larger kernels or pooling between them to widen it")]

"""A network as a plan, as text and as JSON."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cnnctl.formatting import printable, size
from cnnctl.terminal.render import LEFT, RIGHT, print_pairs, print_table, print_text, say, say_values

if TYPE_CHECKING:
    from cnnctl.architecture import LayerPlan, Plan
    from cnnctl.network_source import Subject

_TOTALS = 19  # where the numbers of the totals begin


def to_json(subject: "Subject", formulas: bool, expand: bool = False) -> dict[str, Any]:
    """The form of `summary --json`; shapes are without the batch dimension.

    `expand` adds the layers of a backbone to its row, as `inner`, with the names of their inputs.
    """
    from cnnctl.architecture.budget import limits
    from cnnctl.architecture.cost import fully_connected_params, largest_step_bytes, weight_bytes

    plan, train = subject.plan, subject.train
    value: dict[str, Any] = {
        "name": subject.name,
        "input_shape": list(plan.input_shape),
        "layers": [_layer_json(row, formulas, expand) for row in plan.layers],
        "total_params": plan.total_params,
        "trainable_params": plan.trainable_params,
        "non_trainable_params": plan.non_trainable_params,
        "multiply_adds": plan.multiply_adds,
        "weight_bytes": weight_bytes(plan),
        "fully_connected_params": fully_connected_params(plan),
    }
    if subject.views > 1:
        value["views"] = subject.views
        value["prediction_multiply_adds"] = subject.views * plan.multiply_adds
    if subject.budget is not None:
        value["budget"] = [
            {"key": one.key, "cost": one.cost, "limit": one.limit, "is_kept": one.is_kept}
            for one in limits(plan, subject.budget, subject.views)
        ]
    if train is not None:
        value["batch_size"] = train.batch_size
        value["training_bytes"] = largest_step_bytes(plan, train)
    return value


def _layer_json(row: "LayerPlan", with_formulas: bool, expand: bool) -> dict[str, Any]:
    from cnnctl.config.dump import to_plain

    plain = to_plain(row.layer)
    value = {
        "name": row.name,
        "type": row.kind,
        "settings": plain[row.kind] if isinstance(plain, dict) else {},
        "input_shape": list(row.input_shape),
        "output_shape": list(row.output_shape),
        "params": row.params,
        "trainable_params": row.trainable_params,
        "non_trainable_params": row.non_trainable_params,
        "multiply_adds": row.multiply_adds,
        "receptive_field": list(row.receptive_field) if row.receptive_field is not None else None,
    }
    if with_formulas:
        value["formulas"] = row.formulas()
    if row.inputs:
        value["inputs"] = list(row.inputs)
    if expand and row.inner:
        value["inner"] = [_layer_json(one, with_formulas, expand) for one in row.inner]
    return value


def print_summary(subject: "Subject", with_formulas: bool, expand: bool = False, brief: bool = False) -> None:
    """The table of layers, then the totals.

    `expand` lists the layers of a backbone below it. `brief` leaves out what stands there already: types where the
    names of the layers say them, and that nothing is fixed.
    """
    from cnnctl.layers.notation import format_shape

    plan = subject.plan
    if say_values(plan.total_params):
        return
    say(f"{printable(subject.name)}: input {format_shape(plan.input_shape)}\n")
    fixed = plan.non_trainable_params > 0
    header = ["layer", "type", "settings", "output", "parameters", *(["not trained"] if fixed else [])]
    rows = []
    for name, row in _listed(plan, expand):
        field = "whole image" if row.receptive_field is None else format_shape(row.receptive_field)
        counts = [f"{row.params:,}", *([f"{row.non_trainable_params:,}"] if fixed else [])]
        text = [name, row.kind, row.layer.settings_text(), format_shape(row.output_shape)]
        rows.append([*text, *counts, f"{row.multiply_adds:,}", field])
    align = [LEFT, LEFT, LEFT, RIGHT, RIGHT, *([RIGHT] if fixed else []), RIGHT, RIGHT]
    # a layer without a name of its own is called like its type
    says_type = all(name.strip().startswith(row.kind) for name, row in _listed(plan, expand))
    first = ("type", "receptive field") if says_type else ("receptive field", "type")
    drop = (*first, "not trained", "multiply-adds", "settings")
    header += ["multiply-adds", "receptive field"]
    if brief and says_type:
        header, align, *rows = [[*cells[:1], *cells[2:]] for cells in (header, align, *rows)]
    print_table(header, rows, align, drop=drop, keep_first=True)
    if with_formulas:
        say()
        for name, row in _listed(plan, expand):
            for line in row.formulas():
                print_text(f"{name.strip()}  {line}", hang=len(name.strip()) + 2)
    say()
    _print_totals(subject, brief)


def _listed(plan: "Plan", expand: bool) -> Iterator[tuple[str, "LayerPlan"]]:
    """The rows of the table with their names; those of the layers in a backbone are indented."""
    for row in plan.layers:
        yield row.name, row
        if expand:
            yield from ((f"  {one.name}", one) for one in row.inner)


def _print_totals(subject: "Subject", brief: bool) -> None:
    from cnnctl.architecture.budget import limits
    from cnnctl.architecture.cost import fully_connected_params, largest_step_bytes, weight_bytes

    plan, train = subject.plan, subject.train
    kinds = f"{plan.trainable_params:,} trained, {plan.non_trainable_params:,} not"
    said = "" if brief and not plan.non_trainable_params else f" ({kinds})"
    totals = {
        "parameters": f"{plan.total_params:,}{said}",
        "multiply-adds": f"{plan.multiply_adds:,} an image",
        **(
            {"a prediction": f"{subject.views * plan.multiply_adds:,} multiply-adds, by {subject.views} views"}
            if subject.views > 1
            else {}
        ),
        "weights on disk": size(weight_bytes(plan)),
    }
    if train is not None:
        memory = size(largest_step_bytes(plan, train))
        totals["a training step"] = f"about {memory} at batch size {train.batch_size}, in float32"
    dense = fully_connected_params(plan)
    if dense is not None and plan.total_params and dense != plan.total_params:
        times = dense / plan.total_params
        totals["fully connected"] = f"{dense:,} parameters with the same hidden units, {times:,.0f} times as many"
    if subject.budget is not None:
        within = [
            one.told if one.is_kept else f"{one.told} (too much)" for one in limits(plan, subject.budget, subject.views)
        ]
        totals |= {"budget": "; ".join(within)} if within else {}
    print_pairs(totals, _TOTALS)

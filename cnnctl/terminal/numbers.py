"""The numbers of one image in a trained network as text."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnctl.convolve.kernels import CHANNELS
from cnnctl.formatting import number, percent, printable
from cnnctl.inference.answers import predicted
from cnnctl.layers.compute import Values
from cnnctl.layers.notation import format_shape
from cnnctl.terminal.arithmetic import (
    grid,
    print_product,
    print_sentence,
    print_softmax,
    print_sum,
    signed,
)
from cnnctl.terminal.render import LEFT, RIGHT, print_table, say, say_values

if TYPE_CHECKING:
    from cnnctl.explaining.descent import DescentStep, OutputNumbers
    from cnnctl.explaining.numbers import Numbers, UnitNumbers

_MOST_LAYERS = 40
_MOST_CHANNELS = 3
_MOST_TERMS = 9
_MOST_SUMS = 64
_LARGEST_TERMS = 8
_MOST_SIDE = 16
_MOST_CLASSES = 12


def print_numbers(found: "Numbers") -> None:
    """The answer, the layers, one unit, the output and one step of gradient descent, each with its arithmetic."""
    best = int(found.output.probabilities.argmax())
    chances = found.output.probabilities.astype(np.float32)
    said = predicted(chances, found.classes, thresholds=found.thresholds)
    if say_values(said.label):
        return
    say(f"{printable(said.named)} ({percent(said.probability)})\n")
    if found.views > 1:
        say(f"the numbers are those of the image itself; the run answers by the mean over {found.views} views\n")
    _print_layers(found)
    say()
    shown = best if found.output.logits.size > 1 else 0
    if found.unit.layer.name != found.output.layer.name or found.unit.place != (shown,):
        _print_unit(found.unit, found)  # else it is the sum that the output shows
        say()
    _print_output(found.output, found.classes, best)
    say()
    _print_descent(found.descent, found)


def _print_layers(found: "Numbers") -> None:
    shape = format_shape(found.plan.input_shape)
    print_sentence(f"the network gets {shape} pixels and scales them: {_scaling(found)}")
    say()
    half = _MOST_LAYERS // 2
    many = len(found.layers) > _MOST_LAYERS
    rows = [
        (one.row.name, format_shape(one.row.output_shape), f"{math.prod(one.row.output_shape):,}", *_ends(one))
        for one in found.layers
    ]
    shown = [*rows[:half], (f"{len(rows) - 2 * half:,} more", "", "", "", ""), *rows[-half:]] if many else rows
    header, sides = ("layer", "output", "values", "smallest", "largest"), (LEFT, RIGHT, RIGHT, RIGHT, RIGHT)
    print_table(header, shown, sides)
    flat = next((one.row for one in found.layers if one.row.layer.flattens), None)
    if flat is not None:
        factors = " * ".join(map(str, flat.input_shape))
        say(f"\n{flat.name}: {factors} = {flat.output_shape[0]:,} values in a vector")


def _ends(one: Any) -> tuple[str, str]:
    return number(one.smallest), number(one.largest)


def _scaling(found: "Numbers") -> str:
    """`pixel * 0.00392157 + 0`, for each channel where they differ."""
    scale, offset = found.scaling.scale, found.scaling.offset
    count = max(len(scale), len(offset))
    names = CHANNELS if count == len(CHANNELS) else ("pixel",) * count
    pairs = zip(names, np.broadcast_to(scale, count), np.broadcast_to(offset, count), strict=True)
    return ", ".join(f"{name} * {factor:.6g} {_plus(float(shift))}" for name, factor, shift in pairs)


def _plus(value: float) -> str:
    return f"{'-' if value < 0 else '+'} {abs(value):.6g}"


def _name(unit: "UnitNumbers") -> str:
    names = ("row", "column", "channel") if len(unit.place) == 3 else ("unit",)
    return ", ".join([unit.layer.name, *(f"{name} {at}" for name, at in zip(names, unit.place, strict=True))])


def _print_unit(unit: "UnitNumbers", found: "Numbers") -> None:
    source = "the scaled image" if unit.source is None else unit.source.name
    where = ""
    if unit.rows and unit.inside is not None:
        where = f"rows {_span(unit.rows)} and columns {_span(unit.columns)} of {source}, {_channels(unit)}"
        where += "" if unit.inside.all() else "; (0) is padding"
    else:
        where = f"{len(unit.patch):,} values of {source}"
    print_sentence(f"{_name(unit)}: {where}")
    if unit.weights is None:
        _print_joined(unit)
    elif unit.patch.ndim == 1:
        _print_terms(unit.patch, unit.weights, unit.bias, unit.total or 0.0)
    else:
        _print_window(unit, found)
    if unit.weights is not None:
        _print_activation(unit)


def _span(places: Sequence[int]) -> str:
    """`0 to 2`, or with its step `0 to 4 in steps of 2`."""
    if len(places) == 1:
        return str(places[0])
    step = places[1] - places[0]
    return f"{places[0]} to {places[-1]}{f' in steps of {step}' if step > 1 else ''}"


def _channels(unit: "UnitNumbers") -> str:
    first, last = unit.channels[0], unit.channels[-1]
    return f"channel {first}" if first == last else f"channels {first} to {last}"


def _print_joined(unit: "UnitNumbers") -> None:
    """A pooling window, or the one value that an activation gets."""
    if unit.layer.layer.is_activation:
        given = unit.patch if unit.patch.ndim == 1 else unit.patch[0, 0]
        value = float(given[unit.place[-1]]) if unit.patch.ndim == 1 else float(given[0])
        over = " over all units" if unit.layer.layer.function == "softmax" else ""
        say(f"  {unit.layer.layer.function}({number(value)}) = {number(unit.value)}{over}")
        return
    if max(unit.patch.shape[:2]) <= _MOST_SIDE:
        say("\n".join(f"  {line}".rstrip() for line in grid(unit.patch[:, :, 0], unit.inside)))
    say(f"  {getattr(unit.layer.layer, 'joins_by', 'its value')} = {number(unit.value)}")


def _print_window(unit: "UnitNumbers", found: "Numbers") -> None:
    """The patch, the kernel and the products, channel by channel; of many channels those with the largest sums."""
    assert unit.weights is not None
    products = unit.patch * unit.weights
    sums = products.sum(axis=(0, 1))
    order = np.argsort(-np.abs(sums), kind="stable")[:_MOST_CHANNELS]
    shown = sorted(int(at) for at in order)
    is_colour = unit.source is None and found.plan.input_shape[2] == len(CHANNELS)
    for at in shown:
        channel = unit.channels[at]
        say()
        if len(unit.channels) > 1:
            say(f"  {CHANNELS[channel] if is_colour else f'channel {channel}'}")
        if max(unit.patch.shape[:2]) <= _MOST_SIDE:
            if unit.pixels is not None:
                say(
                    "\n".join(
                        f"  {line}".rstrip() for line in ["pixels", *grid(unit.pixels[:, :, at].tolist(), unit.inside)]
                    )
                )
            print_product(unit.patch[:, :, at], unit.weights[:, :, at], unit.inside)
        own = products[:, :, at].ravel()
        if own.size <= _MOST_TERMS:
            print_sum(own, (), number(float(sums[at])))
        else:
            say(f"  sum of {own.size} products = {number(float(sums[at]))}")
    say()
    if len(sums) > len(shown):
        print_sentence(f"  the {len(shown)} channels with the largest sums are shown; the sum over all {len(sums)}:")
    bias = [signed(unit.bias, "bias ")]
    if len(sums) <= _MOST_SUMS:
        print_sum(sums, bias, number(unit.total or 0.0))
    else:
        say(f"  {number(float(sums.sum()))} {bias[0]} = {number(unit.total or 0.0)}")


def _print_terms(values: Values, weights: Values, bias: float, total: float) -> None:
    """The largest products of a dense unit, the sum of the others, and the bias."""
    products = values * weights
    order = np.argsort(-np.abs(products), kind="stable")[:_LARGEST_TERMS]
    rows = [(f"{at:,}", number(values[at]), number(weights[at]), number(products[at])) for at in order]
    rest = len(products) - len(order)
    if rest:
        others = float(products.sum() - products[order].sum())
        rows.append((f"{rest:,} others", "", "", number(others)))
    rows += [("bias", "", "", number(bias)), ("sum", "", "", number(total))]
    say()
    print_table(("input", "x", "weight w", "x * w"), rows, (LEFT, RIGHT, RIGHT, RIGHT))


def _print_activation(unit: "UnitNumbers") -> None:
    name = unit.layer.layer.function
    if name == "linear" or unit.total is None:
        return
    over = ""
    if name == "softmax":
        over = f" over the {unit.layer.output_shape[-1]} {'channels' if len(unit.place) == 3 else 'units'}"
    say(f"  {name}({number(unit.total)}) = {number(unit.value)}{over}")


def _print_output(output: "OutputNumbers", classes: Sequence[str], best: int) -> None:
    inputs, units = output.weights.shape
    names = classes if units > 1 else [classes[1]]
    at = best if units > 1 else 0
    print_sentence(
        f"{output.layer.name}, the output: {inputs:,} inputs x, {units:,} unit{'s' if units > 1 else ''}; "
        f"logit z = sum of x * w + bias. The logit of {printable(names[at])}:"
    )
    _print_terms(output.inputs, output.weights[:, at], float(output.biases[at]), float(output.logits[at]))
    if units == 1:
        _print_sigmoid(float(output.logits[0]), classes)
        return
    order = np.argsort(-output.logits, kind="stable")
    shown = sorted(order) if units <= _MOST_CLASSES else order[: _MOST_CLASSES - 2]
    sums = output.logits - output.biases
    rows = [(names[k], number(sums[k]), number(output.biases[k]), number(output.logits[k])) for k in shown]
    if units > _MOST_CLASSES:
        rows.append((f"{units - len(shown):,} others", "", "", ""))
    say()
    print_table(("class", "sum of x * w", "bias", "logit z"), rows, (LEFT, RIGHT, RIGHT, RIGHT))
    if output.several:
        _print_sigmoids(output, names, [int(k) for k in shown])
        return
    say("\nsoftmax: exp of each logit, divided by their sum\n")
    print_softmax(list(names), output.logits.tolist(), "class", "z")


def _print_sigmoids(output: "OutputNumbers", names: Sequence[str], shown: Sequence[int]) -> None:
    """Each class by itself: an image may have several labels."""
    say("\nsigmoid: p = 1 / (1 + exp(-z)) of each logit by itself\n")
    rows = [(names[k], number(output.logits[k]), number(output.probabilities[k])) for k in shown]
    print_table(("class", "logit z", "p"), rows, (LEFT, RIGHT, RIGHT))


def _print_sigmoid(logit: float, classes: Sequence[str]) -> None:
    share = 1 / (1 + math.exp(-logit)) if logit > -700 else math.exp(logit)
    say(f"\nsigmoid: p = 1 / (1 + exp(-z)), the probability of {printable(classes[1])}\n")
    if logit > -700:
        power = math.exp(-logit)
        say(f"  exp({number(-logit)}) = {number(power)}")
        say(f"  1 / (1 + {number(power)}) = {number(share)} for {printable(classes[1])}")
    say(f"  1 - {number(share)} = {number(1 - share)} for {printable(classes[0])}")


def _print_descent(step: "DescentStep", found: "Numbers") -> None:
    true = printable(found.classes[step.label])
    origin = {
        "--label": "as --label says",
        "folder": "as the image's folder says",
        "prediction": "the prediction; --label names another",
    }[step.label_from]
    unit = printable(found.classes[step.unit if len(found.output.logits) > 1 else 1])
    print_sentence(
        f"one step of gradient descent on the weight of {found.output.layer.name} from input {step.input:,} "
        f"(the largest) to {unit}; the true class is {true}, {origin}"
    )
    p, shown = step.probability, _exact
    chance = p if step.target else 1 - p
    gradient = f"({shown(step.gradient)})" if step.gradient < 0 else shown(step.gradient)
    rows = [
        ("loss", f"-ln({'p' if step.target else '1 - p'}) = -ln({shown(chance)}) = {shown(step.loss)}"),
        ("by hand", "(p - y) * x"),
        ("", f"= ({shown(p)} - {step.target}) * {shown(step.x)} = {shown(step.gradient)}"),
        ("by differences", "(loss(w + h) - loss(w - h)) / 2h"),
        ("", f"with w = {shown(step.weight)}, h = {shown(step.step)}"),
        ("", f"= ({step.loss_above:.12g} - {step.loss_below:.12g}) / {shown(2 * step.step)}"),
        ("", f"= {shown(step.difference)}"),
        ("agreement", _agreement(step)),
        ("new weight", "w - learning rate * gradient"),
        ("", f"= {shown(step.weight)} - {shown(step.learning_rate)} * {gradient} = {shown(step.new_weight)}"),
        ("new loss", f"{step.new_loss:.12g}, before {step.loss:.12g}"),
    ]
    say()
    for name, text in rows:
        say(f"  {name:<14}  {text}")


def _agreement(step: "DescentStep") -> str:
    if step.gradient == step.difference:
        return "the same number"
    digits = max(0, math.floor(-math.log10(step.disagreement)))
    return f"they differ by {step.disagreement:.2g} of their size: {digits} equal digit{'' if digits == 1 else 's'}"


def _exact(value: float) -> str:
    return f"{value:.8g}"

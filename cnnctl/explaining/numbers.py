"""One image through a trained network in numbers: its layers, one unit, the output, and one step of gradient descent.

Everything is computed in numpy and float64 from the weights of model.keras, without Keras. Only a backbone needs it.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture import LayerPlan, Plan
from cnnctl.architecture.keras_file import read_scaling, read_weights
from cnnctl.architecture.scaling import Scaling
from cnnctl.errors import UsageError
from cnnctl.evaluation.calibration import probabilities_at
from cnnctl.explaining.descent import DescentStep, OutputNumbers, descent_step, output_numbers
from cnnctl.explaining.explain import Place, given_and_answered, insist_on_agreement
from cnnctl.layers.compute import Values
from cnnctl.models.of_run import Network, keras_name, load_network, run_plan
from cnnctl.models.views import shifted
from cnnctl.runs import Run


@dataclass(frozen=True)
class LayerNumbers:
    """A layer's output in a few numbers."""

    row: LayerPlan
    smallest: float
    largest: float


@dataclass(frozen=True)
class UnitNumbers:
    """How one value of a layer comes about.

    Attributes:
        layer: Its layer.
        place: (row, column, channel) of the output, or (unit,) of a vector.
        source: The layer before it; None for the scaled image.
        rows: Rows of the input that it sees, negative or too large ones in the padding; none of a vector.
        columns: Columns of it, likewise.
        channels: Channels of the input that it looks at, or the inputs of a vector.
        pixels: uint8 (height, width, channels), 0 in the padding; None where the input is no image.
        patch: What it sees: (height, width, channels), or (inputs,); 0 in the padding.
        inside: (height, width), False in the padding; None of a vector.
        weights: As `patch`; None where nothing is weighed.
        bias: What is added to the sum; 0 for none.
        total: The sum of patch times weights and the bias, before the activation; None without weights.
        value: The output.
    """

    layer: LayerPlan
    place: tuple[int, ...]
    source: LayerPlan | None
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    channels: tuple[int, ...]
    pixels: NDArray[np.uint8] | None
    patch: Values
    inside: NDArray[np.bool_] | None
    weights: Values | None
    bias: float
    total: float | None
    value: float


@dataclass(frozen=True)
class Numbers:
    """All of it for one image; `views` are those whose mean the run answers by, and of which this is the first.

    `thresholds`, float32 (classes,), are those from which on an image has a label; None where it has one.
    """

    path: str
    plan: Plan
    classes: tuple[str, ...]
    scaling: Scaling
    layers: tuple[LayerNumbers, ...]
    unit: UnitNumbers
    output: OutputNumbers
    descent: DescentStep
    views: int = 1
    thresholds: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Weighted:
    """A trained network as numpy computes it; `weights` are those of the rows, by their names.

    `known` are outputs of rows that numpy does not compute: backbones.
    """

    plan: Plan
    scaling: Scaling
    weights: Mapping[str, Sequence[NDArray[Any]]]
    known: Mapping[str, Values]

    def walk(self, image: NDArray[np.uint8]) -> Iterator[tuple[LayerPlan, list[Values], Values, Values]]:
        """Rows with their weights, inputs and outputs for an image, uint8 (height, width, channels)."""
        values: Values = image * np.array(self.scaling.scale) + np.array(self.scaling.offset)
        for row in self.plan.layers:
            arrays = [np.asarray(array, np.float64) for array in self.weights.get(row.name, ())]
            made = self.known[row.name] if row.name in self.known else row.layer.compute(values, arrays)
            yield row, arrays, values, made
            values = made


def numbers_of_run(run: Run, image: Path, unit: Place | None, label: str | None) -> Numbers:
    """The numbers of an image file in the network of a run.

    `unit` is what is shown in detail, by default the strongest of the first layer that learns. `label` is the name of
    the true class, by default that of the image's folder if it is a class, else the most probable one.

    Raises:
        DataError: the image cannot be read.
        RunError: the run has no model, or two that differ.
        UsageError: there is no such class.
    """
    answered = given_and_answered(run, image)
    pixels, shipped = answered.image, answered.probabilities
    classes = run.read_classes()
    truth = _truth(image, classes, label, shipped)
    path, plan = run.need(run.keras_model), run_plan(run)
    arrays = dict(read_weights(path))
    weights = {row.name: arrays[keras_name(plan, row)] for row in plan.layers if row.params and not row.inner}
    network = Weighted(plan, Scaling(*read_scaling(path)), weights, _backbones(run, plan, pixels))
    config = run.read_config()
    rate = float(config.train.optimizer.learning_rate)
    found = numbers(network, pixels, str(image), classes, truth, unit, rate)
    found = replace(found, thresholds=answered.thresholds)
    if config.test_time is None:
        insist_on_agreement(found.output.probabilities, shipped)
        return found

    shown = [_seen(pixels, mirrored, shift) for mirrored, shift, _ in config.test_time.seen]
    each = [replace(network, known=_backbones(run, plan, view)) for view in shown]
    logits = [_logits(one, view) for one, view in zip(each, shown, strict=True)]
    mean = sum(weight * one for (*_, weight), one in zip(config.test_time.seen, logits, strict=True))
    several = answered.thresholds is not None
    insist_on_agreement(probabilities_at(np.asarray(mean, np.float32)[None], 1.0, several)[0], shipped)
    return replace(found, views=len(shown))


def _seen(image: NDArray[np.uint8], mirrored: bool, shift: int) -> NDArray[np.uint8]:
    """A view of an image, as models/views.py has it of a batch."""
    rows, columns = (shifted(size, shift) for size in image.shape[:2])
    return image[rows][:, columns[::-1] if mirrored else columns]


def _logits(network: "Weighted", image: NDArray[np.uint8]) -> Values:
    """What goes into the last activation."""
    *_, (row, weights, given, made) = network.walk(image)
    return output_numbers(row, weights, given, made).logits


def _backbones(run: Run, plan: Plan, pixels: NDArray[np.uint8]) -> dict[str, Values]:
    """What backbones put out, which Keras has to compute."""
    if not any(row.inner for row in plan.layers):
        return {}
    from cnnctl.models.backend import choose_backend, import_keras_on_the_processor

    import_keras_on_the_processor(choose_backend("auto"))
    return computed_by_keras(load_network(run), pixels)


def computed_by_keras(network: Network, pixels: NDArray[np.uint8]) -> dict[str, Values]:
    """What the backbones of a network put out for an image, uint8 (height, width, channels)."""
    rows = [row for row in network.plan.layers if row.inner]
    return {row.name: values.astype(np.float64) for row, values in network.walk(pixels, rows)}


def _truth(
    image: Path, classes: tuple[str, ...], label: str | None, probabilities: NDArray[np.float32]
) -> tuple[int, str]:
    """The number of the true class, and where it comes from."""
    if label is not None:
        if label not in classes:
            near = difflib.get_close_matches(label, classes, 1)
            hint = f"did you mean {near[0]}?" if near else f"classes are {', '.join(classes[:20])}"
            raise UsageError(f"the run has no class {label}", hint)
        return classes.index(label), "--label"
    folder = image.absolute().parent.name
    if folder in classes:
        return classes.index(folder), "folder"
    return int(probabilities.argmax()), "prediction"


def numbers(
    network: Weighted,
    image: NDArray[np.uint8],
    path: str,
    classes: tuple[str, ...],
    truth: tuple[int, str],
    unit: Place | None,
    learning_rate: float,
) -> Numbers:
    """The numbers of an image, uint8 (height, width, channels), as the network gets it."""
    rows = network.plan.layers
    shown = unit.layer if unit is not None else _first_that_learns(rows)
    layers, before = [], None
    for row, weights, given, made in network.walk(image):
        layers.append(LayerNumbers(row, float(made.min()), float(made.max())))
        if row.name == shown.name:
            place = _whole_place(made, () if unit is None else unit.numbers)
            in_detail = unit_numbers(row, place, before, weights, given, made, image)
        before = row
    output = output_numbers(row, weights, given, made)
    descent = descent_step(output, truth, learning_rate)
    return Numbers(path, network.plan, classes, network.scaling, tuple(layers), in_detail, output, descent)


def _first_that_learns(rows: Sequence[LayerPlan]) -> LayerPlan:
    """The first convolution, or where there is none the first dense layer; the output layer is one."""
    kernels = [row for row in rows if row.layer.has_kernels]
    return (kernels or [row for row in rows if row.layer.learns])[0]


def _whole_place(values: Values, place: tuple[int, ...]) -> tuple[int, ...]:
    """A place of values with the numbers that are left out: those of the largest value there."""
    rest = values[place]
    return (*place, *(int(number) for number in np.unravel_index(int(np.argmax(rest)), rest.shape)))


def unit_numbers(
    row: LayerPlan,
    place: tuple[int, ...],
    before: LayerPlan | None,
    weights: Sequence[Values],
    given: Values,
    made: Values,
    image: NDArray[np.uint8],
) -> UnitNumbers:
    """How the value at a place of a layer's output comes about; `before` is the layer that its input is from."""
    layer, channel, window = row.layer, place[-1], row.layer.window
    kernel, channels = None, slice(channel, channel + 1)
    if layer.learns:
        channels, kernel = layer.unit_weights(row.input_shape, weights, channel)
    spots: list[tuple[int, ...]] = [(number,) for number in place[:-1]]
    if window is not None:
        spans = [layer.input_span(axis, (at, at + 1), row.input_shape[axis]) for axis, at in enumerate(place[:2])]
        spots = [tuple(range(start, stop, step)) for (start, stop), step in zip(spans, window.dilation, strict=True)]
    patch, inside = _patch(given[..., channels], spots)
    pixels = _patch(image[..., channels], spots)[0] if before is None and spots else None
    bias = float(weights[-1][channel]) if kernel is not None and getattr(layer, "use_bias", False) else 0.0
    total = None if kernel is None else float((patch * kernel).sum()) + bias
    rows, columns = spots or ((), ())
    seen = tuple(range(given.shape[-1])[channels])
    return UnitNumbers(
        row, place, before, rows, columns, seen, pixels, patch, inside, kernel, bias, total, float(made[place])
    )


def _patch(values: NDArray[Any], spots: Sequence[tuple[int, ...]]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """What is at rows and columns of an image, 0 outside of it, and where it is inside; a whole vector."""
    if not spots:
        return values, None
    within = [np.array([0 <= one < size for one in spot]) for spot, size in zip(spots, values.shape, strict=False)]
    clipped = [np.clip(spot, 0, size - 1) for spot, size in zip(spots, values.shape, strict=False)]
    inside = within[0][:, np.newaxis] & within[1]
    return np.where(inside[:, :, np.newaxis], values[np.ix_(*clipped)], 0), inside

"""The output layer of a trained network for one image, and one step of gradient descent on one of its weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnctl.architecture import LayerPlan
from cnnctl.inference.model import expand
from cnnctl.layers.compute import Values

_STEP = 1e-4
"""How far a weight is moved for the differences, for an input of 1; less for larger ones."""


@dataclass(frozen=True)
class OutputNumbers:
    """The output layer: inputs (inputs,), weights (inputs, units), biases and logits (units,).

    `probabilities` are (classes,); a sigmoid's unit is the second class. Of an image that may have several labels each
    unit has a sigmoid.
    """

    layer: LayerPlan
    inputs: Values
    weights: Values
    biases: Values
    logits: Values
    probabilities: Values

    @property
    def several(self) -> bool:
        """Whether an image may have several labels."""
        return len(self.logits) > 1 and self.layer.layer.function == "sigmoid"


@dataclass(frozen=True)
class DescentStep:
    """One step of gradient descent on one weight of the output layer.

    Attributes:
        label: The number of the true class.
        label_from: Where that comes from: `--label`, `folder` or `prediction`.
        input: The input that the weight multiplies.
        unit: The unit that it leads to.
        weight: The weight w.
        x: The input's value.
        probability: p, that of the unit.
        target: y, what it should be: 1 or 0.
        gradient: (p - y) x, the derivative of the loss by the weight.
        step: h of the differences.
        loss: -ln of the true class' probability; of several labels the part of this one.
        loss_above: The loss with w + h.
        loss_below: The loss with w - h.
        difference: (loss_above - loss_below) / 2h.
        learning_rate: That of the run.
        new_weight: w - learning_rate * gradient.
        new_loss: The loss with it.
    """

    label: int
    label_from: str
    input: int
    unit: int
    weight: float
    x: float
    probability: float
    target: int
    gradient: float
    step: float
    loss: float
    loss_above: float
    loss_below: float
    difference: float
    learning_rate: float
    new_weight: float
    new_loss: float

    @property
    def disagreement(self) -> float:
        """The difference of both gradients, as a share of the larger one."""
        largest = max(abs(self.gradient), abs(self.difference))
        return abs(self.gradient - self.difference) / largest if largest else 0.0


def output_numbers(row: LayerPlan, weights: Sequence[Values], given: Values, made: Values) -> OutputNumbers:
    """What the output layer makes of the values that flow into it; `made` are its own."""
    kernel, *bias = weights
    biases = bias[0] if bias else np.zeros(kernel.shape[1])
    return OutputNumbers(row, given, kernel, biases, given @ kernel + biases, expand(made[np.newaxis])[0])  # type: ignore[arg-type]


def descent_step(output: OutputNumbers, truth: tuple[int, str], learning_rate: float) -> DescentStep:
    """The step on the weight from the largest input to the true class' unit."""
    (label, label_from), logits = truth, output.logits
    unit = label if len(logits) > 1 else 0
    at = int(np.abs(output.inputs).argmax())
    x, weight = float(output.inputs[at]), float(output.weights[at, unit])
    target = 1 if len(logits) > 1 else label

    def loss(changed: float) -> float:
        column = output.weights[:, unit].copy()
        column[at] = changed
        changed_logits = logits.copy()
        changed_logits[unit] = output.inputs @ column + output.biases[unit]
        return cross_entropy(changed_logits, label, output.several)

    error = _error(logits, label, output.several)
    gradient = error * x
    step = _STEP / max(1.0, abs(x))
    above, below = loss(weight + step), loss(weight - step)
    new_weight = weight - learning_rate * gradient
    return DescentStep(
        label,
        label_from,
        at,
        unit,
        weight,
        x,
        float(output.probabilities[label] if len(logits) > 1 else output.probabilities[1]),
        target,
        gradient,
        step,
        loss(weight),
        above,
        below,
        (above - below) / (2 * step),
        learning_rate,
        new_weight,
        loss(new_weight),
    )


def cross_entropy(logits: Values, label: int, several: bool = False) -> float:
    """-ln of a class' probability by softmax, or by sigmoid for one logit, precise for very small ones too.

    With `several` labels each logit is that of a sigmoid.
    """
    others = _others(logits, label, several)
    return float(np.logaddexp(0.0, np.logaddexp.reduce(others)))


def _error(logits: Values, label: int, several: bool) -> float:
    """p - y of the unit that the true class has, precise where p is nearly y."""
    missing = float(np.exp(-np.logaddexp(0.0, -np.logaddexp.reduce(_others(logits, label, several)))))
    return missing if len(logits) == 1 and label == 0 else -missing


def _others(logits: Values, label: int, several: bool) -> Values:
    """How far the logits of the other classes lie above the true class'."""
    if several:
        return -logits[label : label + 1]
    if len(logits) == 1:
        return -logits if label == 1 else logits
    others: Values = np.delete(logits, label) - logits[label]
    return others

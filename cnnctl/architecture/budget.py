"""A plan beside the budget of its config."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cnnctl.architecture.cost import BYTES_PER_WEIGHT, weight_bytes
from cnnctl.architecture.plan import LayerPlan, Plan
from cnnctl.config.budget import Budget
from cnnctl.formatting import percent, size

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limit:
    """One limit of a budget.

    Attributes:
        key: Its key in the config.
        cost: What the network costs, in the unit of the limit.
        limit: What it may cost.
        told: Both as text, such as `94,402 of 200,000 parameters`.
        largest: What the dearest layer has of it, as text.
    """

    key: str
    cost: float
    limit: float
    told: str
    largest: str

    @property
    def is_kept(self) -> bool:
        """Whether the network is within it."""
        return self.cost <= self.limit


def limits(plan: Plan, budget: Budget, views: int = 1) -> Iterator[Limit]:
    """The limits that are set and can be compared without a model; `views` of an image make a prediction."""
    if budget.parameters is not None:
        told = f"{plan.total_params:,} of {budget.parameters:,} parameters"
        yield Limit("parameters", plan.total_params, budget.parameters, told, _largest(plan, lambda row: row.params))
    if budget.multiply_adds is not None:
        cost = views * plan.multiply_adds
        told = f"{cost:,} of {budget.multiply_adds:,} multiply-adds"
        largest = _largest(plan, lambda row: row.multiply_adds)
        yield Limit("multiply_adds", cost, budget.multiply_adds, told, largest)
    if budget.weights_megabytes is not None:
        most = budget.weights_megabytes * MEGABYTE
        told = f"{size(weight_bytes(plan))} of {size(most)} of weights"
        largest = _largest(plan, lambda row: row.params * BYTES_PER_WEIGHT)
        yield Limit("weights_megabytes", weight_bytes(plan) / MEGABYTE, budget.weights_megabytes, told, largest)


def _largest(plan: Plan, cost: Callable[[LayerPlan], int]) -> str:
    total = sum(cost(row) for row in plan.layers)
    row = max(plan.layers, key=cost)
    return f"{row.name} has {percent(cost(row) / total)} of them" if total else "no layer costs anything"

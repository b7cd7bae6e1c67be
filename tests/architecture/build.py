"""Plans from the items of a model, for the tests of architecture/."""

from cnnctl.architecture import Plan, make_plan
from cnnctl.layers.output import OutputSettings
from tests.config.build import layers

CATS = (
    "conv2d: {filters: 10, kernel_size: 5, activation: relu}",
    "max_pooling2d: {pool_size: 2}",
    "flatten",
)


def plan(
    *items: str, shape: tuple[int, int, int] = (32, 32, 3), classes: int | None = None, output: str = "softmax"
) -> Plan:
    """The plan of a model with these items."""
    return make_plan(layers(*items), shape, classes, OutputSettings(activation=output))

"""The network as it is planned: a `LayerPlan` for each layer, which `planner` works out.

Shapes are without the batch dimension: (height, width, channels) or (features,). Every number agrees with Keras'
own (tests/architecture/test_against_keras.py); models/build.py asserts it again on each network it builds.
"""

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from cnnctl.layers.backbone import Backbone
from cnnctl.layers.base import BaseLayer
from cnnctl.layers.notation import NO_SIDES, Shape
from cnnctl.settings import Sides

if TYPE_CHECKING:  # they take a tenth of the time of a summary, and few networks have a backbone
    from cnnctl.architecture.backbone import ResolvedBackbone

LayerPath = tuple[str | int, ...]


@dataclass(frozen=True)
class LayerPlan:
    """One row of the network.

    Attributes:
        name: Keras' style of names: the kind, numbered from the second on.
        layer: Its settings.
        path: Where it stands in the config: ("model", 3) and so on; ("output",) for the appended one.
        input_shape: Without the batch dimension.
        output_shape: Without the batch dimension.
        trainable_params: Weights that training changes.
        non_trainable_params: Weights that it does not (moving averages).
        multiply_adds: Multiplications with addition for one image; convolutions and dense layers alone count.
        receptive_field: (height, width) of the input pixels that one output value can see; None for the whole image.
        lost: (rows, columns) of its input that no window reaches.
        inner: The layers of a backbone, in order; those of any other layer are none.
        inputs: Of an inner layer, the names of those that flow into it; `image` for the backbone's own input.
    """

    name: str
    layer: BaseLayer
    path: LayerPath
    input_shape: Shape
    output_shape: Shape
    trainable_params: int
    non_trainable_params: int
    multiply_adds: int
    receptive_field: tuple[int, int] | None
    lost: tuple[int, int] = (0, 0)
    inner: tuple["LayerPlan", ...] = ()
    inputs: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The layer's word in the config."""
        return self.layer.kind

    @property
    def zeros(self) -> Sides:
        """Explicit zeros, ((top, bottom), (left, right)), that go around the input of a convolution."""
        return self.layer.window.zeros if self.layer.window is not None else NO_SIDES

    @property
    def params(self) -> int:
        """All of its weights."""
        return self.trainable_params + self.non_trainable_params

    def formulas(self) -> list[str]:
        """How its output and its parameters come about, a line each."""
        return self.layer.formulas(self.input_shape)


@dataclass(frozen=True)
class PlanProblem:
    """A layer that cannot be: `path` leads to the key to blame; the other fields are as in errors.Problem."""

    path: LayerPath
    message: str
    received: str
    hint: str


@dataclass(frozen=True)
class Plan:
    """A whole network for images of (height, width, channels), the appended output layer last.

    `problems` are the impossible layers, which `layers` leaves out.
    """

    input_shape: tuple[int, int, int]
    layers: tuple[LayerPlan, ...]
    problems: tuple[PlanProblem, ...] = ()

    @property
    def backbone(self) -> "ResolvedBackbone | None":
        """The pretrained network that it begins with."""
        first = self.layers[0].layer if self.layers else None
        if not isinstance(first, Backbone):
            return None
        from cnnctl.architecture.backbone import ResolvedBackbone

        return first if isinstance(first, ResolvedBackbone) else None

    @property
    def frozen(self) -> tuple["LayerPlan", ...]:
        """The rows at its beginning that training does not change and that act in training as they do afterwards.

        Their output for an image never changes, so it can be computed once. None without a backbone.
        """
        first = self.layers[0].layer if self.layers else None
        if not isinstance(first, Backbone) or first.trainable:
            return ()
        return tuple(takewhile(_is_frozen, self.layers))

    @property
    def has_depthwise(self) -> bool:
        """Whether it has depthwise or separable convolutions, those of a backbone included."""
        return any(one.layer.is_depthwise for row in self.layers for one in (row, *row.inner))

    @property
    def total_params(self) -> int:
        return sum(layer.params for layer in self.layers)

    @property
    def trainable_params(self) -> int:
        return sum(layer.trainable_params for layer in self.layers)

    @property
    def non_trainable_params(self) -> int:
        return sum(layer.non_trainable_params for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds for layer in self.layers)


def _is_frozen(row: LayerPlan) -> bool:
    layer = row.layer
    has_statistics = row.params > 0 and not isinstance(layer, Backbone)
    return not (row.trainable_params or has_statistics or layer.acts_in_training_only)

"""The weights are those of the graphs that are part of the package."""

import math

import pytest

from cnnctl.architecture.graph.applications import graph_of
from cnnctl.layers.backbone import APPLICATIONS
from cnnctl.weights.find import find_weights
from cnnctl.weights.published import NETWORKS, Network

_NORMALIZATION = 3 + 3 + 1
"""Numbers of the layer of EfficientNetB0 whose statistics the graph knows as constants."""


def test_every_application_is_published() -> None:
    assert set(NETWORKS) == set(APPLICATIONS)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda one: one.name)
def test_the_table_counts_their_numbers(network: Network) -> None:
    shapes = graph_of(network.name).weight_shapes()
    numbers = sum(math.prod(shape) for own in shapes.values() for shape in own)
    assert network.parameters == numbers + (_NORMALIZATION if network.name == "EfficientNetB0" else 0)


def test_those_of_the_package_fit() -> None:
    shapes = graph_of("EfficientNetLite0").weight_shapes()
    found = find_weights("EfficientNetLite0", None, shapes)
    assert {name: tuple(one.shape for one in own) for name, own in found.arrays.items()} == shapes

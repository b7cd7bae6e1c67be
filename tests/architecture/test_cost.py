import pytest

from cnnctl.architecture.cost import (
    activation_values,
    fully_connected_params,
    images_at_once,
    largest_step_bytes,
    optimizer_slots,
    training_bytes,
    weight_bytes,
)
from cnnctl.architecture.planner import with_trained_backbone
from cnnctl.config.optimizers import Adam, Sgd
from cnnctl.config.training import FineTune, TrainSettings
from tests.architecture.build import CATS, plan

SMALL = ("conv2d: {filters: 2, kernel_size: 3, activation: relu}", "max_pooling2d: {pool_size: 2}", "flatten")
VALUES = 6 * 6 * 1 + 2 * (4 * 4 * 2) + 2 * 2 * 2 + 2 * 3
"""The image, the convolution before and after its activation, the pooling, and the output likewise."""
PARAMS = (9 * 2 + 2) + (8 * 3 + 3)


def small():
    return plan(*SMALL, shape=(6, 6, 1), classes=3)


def test_values_kept_for_the_backward_pass_by_hand():
    assert activation_values(small()) == VALUES


@pytest.mark.parametrize(
    ("items", "values"),
    [
        (["conv2d: {filters: 2, kernel_size: 3}"], 36 + 32),
        (["conv2d: {filters: 2, kernel_size: 3, activation: relu}"], 36 + 64),
        (["conv2d: {filters: 2, kernel_size: 3}", "activation: {activation: relu}"], 36 + 64),
        (["conv2d: {filters: 2, kernel_size: 3, padding: [[1, 0], [2, 1]]}"], 36 + 7 * 9 + 5 * 7 * 2),
        (["flatten"], 36),
        (["zero_padding2d"], 36 + 64),
    ],
)
def test_values_of_layers_by_hand(items, values):
    assert activation_values(plan(*items, shape=(6, 6, 1))) == values


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [(Adam(), 2), (Adam(amsgrad=True), 3), (Sgd(), 0), (Sgd(momentum=0.9), 1), (Sgd(momentum=0.9, nesterov=True), 1)],
)
def test_memory_of_a_training_step_by_hand(optimizer, slots):
    assert optimizer_slots(optimizer) == slots
    for width in (2, 4):
        expected = 4 * PARAMS * (2 + slots) + 16 * (VALUES + 32) * width
        assert training_bytes(small(), 16, optimizer, bytes_per_value=width) == expected


def test_weights_that_are_not_trained_have_no_gradient():
    made = plan("batch_normalization", "flatten", shape=(2, 2, 3))
    assert weight_bytes(made) == 4 * 12
    assert training_bytes(made, 1, Sgd()) == 4 * (12 + 6) + (12 + 12 + 12) * 4


def test_the_step_that_trains_a_backbone_counts_its_layers():
    items = ("backbone: {application: MobileNetV2, weights: none}", "global_average_pooling2d")
    frozen, trained = (
        plan(item, items[1], shape=(32, 32, 3), classes=2)
        for item in (items[0], items[0].replace("none", "none, trainable: true"))
    )
    assert with_trained_backbone(frozen).trainable_params == trained.trainable_params > 2_000_000
    head, both = TrainSettings(), TrainSettings(fine_tune=FineTune())
    assert largest_step_bytes(frozen, head) == training_bytes(frozen, 64, head.optimizer)
    assert largest_step_bytes(frozen, both) == training_bytes(trained, 64, head.optimizer)
    assert largest_step_bytes(frozen, both) > 10 * largest_step_bytes(frozen, head)


def test_the_fully_connected_equivalent_by_hand():
    # 36 pixels to the 32 values of the convolution, those to the 3 output units
    assert fully_connected_params(small()) == (36 * 32 + 32) + (32 * 3 + 3)
    cats = plan(*CATS, shape=(300, 300, 3), classes=2)
    units = 296 * 296 * 10
    assert fully_connected_params(cats) == 270_000 * units + units + units * 2 + 2


@pytest.mark.parametrize(
    ("shape", "images"), [((8, 8, 1), 256), ((32, 32, 3), 256), ((224, 224, 3), 8), ((5000, 5000, 3), 1)]
)
def test_fewer_large_images_go_through_a_network_at_once(shape, images):
    assert images_at_once(shape) == images

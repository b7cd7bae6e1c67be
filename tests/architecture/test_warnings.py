import pytest

from cnnctl.architecture.warnings import find_warnings
from tests.architecture.build import CATS, plan

CONV = "conv2d: {filters: 4, kernel_size: 3}"
RELU = "conv2d: {filters: 4, kernel_size: 3, activation: relu}"


def messages(*items: str, shape=(8, 8, 3), classes: int | None = 3) -> list[str]:
    made = plan(*items, shape=shape, classes=classes)
    assert made.problems == ()
    return [warning.message for warning in find_warnings(made)]


FIRST = "conv2d has no activation before conv2d_1"
ONE = ": together they are one linear layer"


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([RELU, RELU, "flatten"], []),
        ([CONV, RELU, "flatten"], [f"{FIRST}{ONE}"]),
        ([CONV, "batch_normalization", RELU, "flatten"], [f"{FIRST}{ONE}"]),
        ([CONV, "average_pooling2d: {pool_size: 2}", RELU, "flatten"], [f"{FIRST}{ONE}"]),
        ([CONV, "max_pooling2d: {pool_size: 2}", RELU, "flatten"], [FIRST]),
        ([CONV, "layer_normalization", RELU, "flatten"], [FIRST]),
        ([CONV, "activation: {activation: relu}", RELU, "flatten"], []),
        ([CONV, "leaky_relu", RELU, "flatten"], []),
        ([RELU, RELU, "flatten", "dense: {units: 2}"], [f"dense has no activation before dense_1{ONE}"]),
        ([CONV, "l2_pooling2d: {pool_size: 2}", RELU, "flatten"], []),
    ],
)
def test_a_layer_without_activation(items, found):
    assert messages(*items) == found


AFTER = "the output layer is appended after it"
DENSE = "dense: {units: 3, activation: softmax}"
SOFTMAX = "activation: {activation: softmax}"
SAME = "has as many units as the output layer, which is appended after it"


@pytest.mark.parametrize(
    ("items", "output", "found"),
    [
        (["flatten", DENSE], "softmax", f"dense ends in softmax, and {AFTER}"),
        (["flatten", "dense: {units: 1, activation: sigmoid}"], "sigmoid", f"dense ends in sigmoid, and {AFTER}"),
        (["flatten", "dense: {units: 3}", SOFTMAX], "softmax", f"activation ends in softmax, and {AFTER}"),
        (["flatten", DENSE, "dropout: {rate: 0.5}"], "softmax", f"dense ends in softmax, and {AFTER}"),
        (["flatten", "dense: {units: 3}"], "softmax", f"dense {SAME}"),
        (["flatten", "dense: {units: 3, activation: relu}"], "softmax", f"dense {SAME}"),
        (["flatten", "dense: {units: 3}", "activation: {activation: relu}"], "softmax", f"dense {SAME}"),
        (["flatten", "dense: {units: 1}"], "sigmoid", f"dense {SAME}"),
        (["flatten", "dense: {units: 2}"], "sigmoid", f"dense {SAME}"),
        (["flatten", "dense: {units: 4, activation: sigmoid}", "dense: {units: 4, activation: relu}"], "softmax", None),
        (["flatten", "dense: {units: 64, activation: relu}"], "softmax", None),
        ([f"{RELU}", "global_average_pooling2d"], "softmax", None),
    ],
)  # fmt: skip
def test_a_second_output_layer(items, output, found):
    made = plan(*items, shape=(8, 8, 3), classes=3 if output == "softmax" else 2, output=output)
    said = [warning.message for warning in find_warnings(made) if "receptive" not in warning.message]
    assert said == ([found] if found else [])


def test_the_output_layer_alone_needs_no_activation():
    assert messages("flatten") == []
    assert messages("flatten", "dense: {units: 2}", classes=None) == []


def test_a_repeated_layer_is_warned_of_on_once_for_each_message():
    made = plan(f"repeat: {{times: 3, layers: [{CONV}]}}", "flatten", shape=(8, 8, 3), classes=3)
    found = [(warning.path, warning.message.split(":")[0]) for warning in find_warnings(made)]
    place = ("model", 0, "repeat", "layers", 0)
    assert found == [
        (place, "conv2d has no activation before conv2d_1"),
        (place, "conv2d_1 has no activation before conv2d_2"),
        (place, "conv2d_2 has no activation before dense"),
    ]


@pytest.mark.parametrize(
    ("item", "shape", "found"),
    [
        ("max_pooling2d: {pool_size: 2}", (9, 8, 1), ["the last 1 row of its 9x8x1 input"]),
        ("max_pooling2d: {pool_size: 3}", (8, 7, 1), ["the last 2 rows and 1 column of its 8x7x1 input"]),
        ("max_pooling2d: {pool_size: 3, padding: same}", (8, 8, 1), []),
        ("conv2d: {filters: 2, kernel_size: 7, strides: 2, padding: 3, activation: relu}", (12, 12, 1), []),
    ],
)
def test_pixels_that_no_window_reaches(item, shape, found):
    name = item.split(":")[0]
    assert messages(item, "flatten", shape=shape) == [f"{name} never reads {what}" for what in found]


def test_one_dense_layer_that_holds_nearly_all_parameters():
    found = messages(*CATS, shape=(300, 300, 3))
    assert found[0] == "dense holds 657,123 of 657,883 parameters (100%)"
    assert not any("holds" in one for one in messages(RELU, "flatten"))


def test_a_small_receptive_field():
    after = "the layers after it only average over positions"
    small = [f"the receptive field of conv2d_1 is 5x5 pixels of a 12x11 image; {after}"]
    assert messages(RELU, RELU, "global_average_pooling2d", shape=(12, 11, 3)) == small
    assert messages(RELU, RELU, "global_average_pooling2d", shape=(10, 10, 3)) == []
    assert messages(RELU, RELU, "flatten", shape=(12, 11, 3)) == []


def test_each_warning_has_a_mend():
    made = plan(CONV, "max_pooling2d: {pool_size: 3}", RELU, "flatten", shape=(1000, 1000, 3), classes=3)
    found = find_warnings(made)
    assert len(found) == 3
    assert all(warning.hint and warning.path for warning in found)

"""The loss and the accuracy of every form of labels, by hand."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from cnnctl.config.training import TrainSettings
from cnnctl.data.augment import Varied, augmenter
from cnnctl.training.feeding import Examples, Feed
from cnnctl.training.objective import Objective, class_weights, make_objective
from tests.training.build import examples, fitted, network, pixels, settings

MIX = "augment: [mix_up: {alpha: 0.5}]\n"
CUT = "augment: [random_flip, cut_mix]\n"
FLIP = "augment: [random_flip]\n"
SIGMOID = "output: sigmoid\n"
SEVERAL = "output: multi_label\n"
SPARSE, CATEGORICAL, BINARY = (f"{kind}_crossentropy" for kind in ("sparse_categorical", "categorical", "binary"))
SQUARED = "mean_squared_error"
FORMS = [
    ("", "", (SPARSE, "number", 0.0)),
    ("", FLIP, (SPARSE, "number", 0.0)),
    ("loss: categorical_crossentropy", "", (SPARSE, "number", 0.0)),
    ("", MIX, (CATEGORICAL, "one_hot", 0.0)),
    ("", CUT, (CATEGORICAL, "one_hot", 0.0)),
    ("label_smoothing: 0.1", "", (CATEGORICAL, "one_hot", 0.1)),
    ("label_smoothing: 0.1", MIX, (CATEGORICAL, "one_hot", 0.1)),
    ("loss: mean_squared_error", "", (SQUARED, "one_hot", 0.0)),
    ("loss: mean_squared_error", CUT, (SQUARED, "one_hot", 0.0)),
    ("", SIGMOID, (BINARY, "positive", 0.0)),
    ("loss: binary_crossentropy, label_smoothing: 0.2", SIGMOID, (BINARY, "positive", 0.2)),
    ("loss: mean_squared_error", SIGMOID + MIX, (SQUARED, "positive", 0.0)),
    ("", SEVERAL, (BINARY, "several", 0.0)),
    ("loss: binary_crossentropy, label_smoothing: 0.2", SEVERAL + MIX, (BINARY, "several", 0.2)),
    ("loss: mean_squared_error", SEVERAL, (SQUARED, "several", 0.0)),
]


@pytest.mark.parametrize(("train", "rest", "expected"), FORMS)
def test_labels_stay_numbers_where_nothing_asks_for_more(train, rest, expected):
    made = make_objective(settings(train, rest=rest), 2)
    assert (made.loss, made.form, made.label_smoothing) == expected
    assert made.classes == 2


def test_every_loss_has_a_form():
    losses = set(TrainSettings.model_fields["loss"].annotation.__args__) - {"auto"}
    assert {loss for _, _, (loss, _, _) in FORMS} == losses | {SPARSE}


LABELS = np.array([2, 0, 1, 2])
ENCODED = {
    "number": [2, 0, 1, 2],
    "one_hot": [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
}


@pytest.mark.parametrize("form", ENCODED)
def test_labels_in_the_form_of_the_loss(form):
    encoded = Objective("", form, 3).encode(LABELS)
    assert encoded.dtype == (np.int32 if form == "number" else np.float32)
    assert encoded.tolist() == ENCODED[form]


def test_the_label_of_one_unit_is_the_share_of_the_second_class():
    encoded = Objective("", "positive", 2).encode(np.array([1, 0, 1]))
    assert (encoded.dtype, encoded.tolist()) == (np.float32, [[1], [0], [1]])


MIXED = (((0, 0.25), (1, 0.75)), ((3, 1.0),), ((0, 0.5), (3, 0.25), (1, 0.125), (0, 0.125)))


def test_a_mixed_label_has_the_shares_of_its_images_classes():
    """Images 0 and 3 are of the third class."""
    soft = Objective("", "one_hot", 3).encode_mixed(LABELS, MIXED)
    assert soft.dtype == np.float32
    assert soft.tolist() == [[0.75, 0, 0.25], [0, 0, 1], [0.125, 0, 0.875]]
    soft = Objective("", "positive", 2).encode_mixed(np.array([1, 0, 0, 1]), MIXED)
    assert soft.tolist() == [[0.25], [1], [0.875]]


@pytest.mark.parametrize("augment", [MIX, CUT, "augment: [mix_up: {alpha: 2}, random_flip, cut_mix]\n"])
def test_labels_of_mixed_batches_are_the_shares_of_the_images_in_them(augment):
    """Image i is filled with a colour of its own, so that its share shows, but for rows of pixels that are cut."""
    chosen = settings("batch_size: 16", rest=augment)
    colours = np.random.default_rng(4).integers(0, 256, (30, 1, 1, 3)).astype(np.uint8)
    images, classes = np.broadcast_to(colours, (30, 128, 128, 3)), np.arange(30) % 5
    these = Examples(images, np.arange(30), classes, make_objective(chosen, 5))
    vary = augmenter(chosen.augment, 0, these.image, 30)
    feed = Feed(these, 16, vary=vary)
    mixed, labels = feed.make(0, 0)
    feed.close()
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    assert ((labels > 0).sum(axis=1) > 1).sum() > 8
    for number, (image, label) in enumerate(zip(mixed, labels, strict=True)):
        shares = np.zeros(30)
        for which, share in vary(number, 0).shares:
            shares[which] += share
        np.testing.assert_allclose(label, np.bincount(classes, shares), atol=1e-6)
        np.testing.assert_allclose(image.mean(axis=(0, 1)), shares @ colours[:, 0, 0], atol=255 * 2 / 128 + 1)


def answers(model, these):
    """(images, units) of probabilities, in float64."""
    return np.asarray(model.predict_on_batch(these.pixels), np.float64)


def cross(labels, probabilities):
    return -(labels * np.log(probabilities)).sum(axis=1)


def binary(labels, positive):
    return -(labels * np.log(positive) + (1 - labels) * np.log(1 - positive))[:, 0]


def squared(labels, probabilities):
    return ((labels - probabilities) ** 2).mean(axis=1)


HOT = np.eye(3)[np.arange(9) % 3]
ONE = (np.arange(9) % 2)[:, None]
LOSSES = {
    "crossentropy": ("", "softmax", lambda p: cross(HOT, p)),
    "smoothed": ("label_smoothing: 0.3", "softmax", lambda p: cross(0.7 * HOT + 0.1, p)),
    "squared": ("loss: mean_squared_error", "softmax", lambda p: squared(HOT, p)),
    "binary": ("", "sigmoid", lambda p: binary(ONE, p)),
    "smoothed binary": ("label_smoothing: 0.3", "sigmoid", lambda p: binary(0.7 * ONE + 0.15, p)),
    "squared binary": ("loss: mean_squared_error", "sigmoid", lambda p: squared(ONE, p)),
}
WEIGHTS = np.linspace(0.25, 3, 9).astype(np.float32)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all alike", "weighted"])
@pytest.mark.parametrize(("train", "output", "loss"), LOSSES.values(), ids=LOSSES)
def test_the_loss_of_a_batch_by_hand(train, output, loss, weights, tmp_path):
    """That of an epoch of one batch is the loss before its step; weights are no part of accuracy and of validation."""
    classes = 3 if output == "softmax" else 2
    still = "optimizer: {sgd: {learning_rate: 1.0e-12}}"
    chosen = settings(f"epochs: 1, batch_size: 9, {still}, {train}", rest=f"output: {output}\n")
    training, validation = (examples(9, chosen=chosen, classes=classes, weights=each) for each in (weights, None))
    model, _ = network("flatten", classes=classes, output=output)
    found = answers(model, training)
    record = fitted(model, chosen, Feed(training, 9), Feed(validation, 9), tmp_path)
    (figures,) = record.history
    expected = loss(found)
    assert figures["loss"] == pytest.approx((expected * (1 if weights is None else weights)).mean(), rel=1e-5)
    assert figures["val_loss"] == pytest.approx(expected.mean(), rel=1e-5)
    guessed = found.argmax(axis=1) if output == "softmax" else found[:, 0] > 0.5
    assert figures["accuracy"] == figures["val_accuracy"] == pytest.approx((guessed == training.labels).mean())


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_the_factor_of_a_mixed_image_is_that_of_its_shares(output, tmp_path):
    """Image i is itself to 70 % and the next image to the rest; every class has a factor of its own."""
    rest = MIX + f"output: {output}\n"
    classes = 3 if output == "softmax" else 2
    chosen = settings("epochs: 1, batch_size: 9, label_smoothing: 0.3", rest=rest)
    factors = class_weights({"a": 0.5, "b": 2.0, "c": 7.0}, "abc"[:classes], np.arange(9) % classes)
    these = examples(9, chosen=chosen, classes=classes, weights=factors)
    model, _ = network("flatten", classes=classes, output=output)

    def vary(number, epoch):
        return Varied(these.image(number), ((number, 0.7), ((number + 1) % 9, 0.3)))

    found = answers(model, these)
    (figures,) = fitted(model, chosen, Feed(these, 9, vary=vary), None, tmp_path).history
    by_class = np.array([0.5, 2, 7])
    own, other = np.arange(9) % classes, np.roll(np.arange(9), -1) % classes
    weights = 0.7 * by_class[own] + 0.3 * by_class[other]
    labels = 0.7 * np.eye(classes)[own] + 0.3 * np.eye(classes)[other]
    if output == "softmax":
        losses, guessed = cross(0.7 * labels + 0.1, found), found.argmax(axis=1)
    else:
        losses, guessed = binary(0.7 * labels[:, 1:] + 0.15, found), found[:, 0] > 0.5
    assert figures["loss"] == pytest.approx((weights * losses).mean(), rel=1e-5)
    assert figures["accuracy"] == pytest.approx((guessed == own).mean())


SOFT = [
    ("one_hot", [[0.3, 0.7, 0]], [[0.2, 0.5, 0.3]], 1),
    ("one_hot", [[0.3, 0.7, 0]], [[0.5, 0.2, 0.3]], 0),
    ("one_hot", [[0.3, 0.3, 0.4], [1, 0, 0]], [[0.3, 0.3, 0.4], [0.3, 0.3, 0.4]], 0.5),
    ("positive", [[0.7]], [[0.6]], 1),
    ("positive", [[0.7]], [[0.4]], 0),
    ("positive", [[0.3]], [[0.4]], 1),
    ("positive", [[0.3], [0.7], [1.0], [0.0]], [[0.9], [0.1], [0.51], [0.49]], 0.5),
    ("number", [1, 2], [[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]], 0.5),
]


@pytest.mark.parametrize(("form", "truth", "predicted", "expected"), SOFT)
def test_accuracy_asks_for_the_class_of_the_largest_share(form, truth, predicted, expected, keras):
    metric = Objective("", form, 3).keras_accuracy()
    metric.update_state(np.array(truth, np.float32), np.array(predicted, np.float32))
    assert float(metric.result()) == pytest.approx(expected)
    assert metric.name == "accuracy"


SETTINGS = [{"a": 1, "b": 2.5, "c": 0}, {"b": 3}, "balanced"]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_class_weights_scale_the_loss_of_each_image(setting, tmp_path):
    labels = np.array([0, 0, 0, 1, 1, 2, 0])
    factors = [7 / 12, 7 / 6, 7 / 3] if setting == "balanced" else [setting.get(name, 1) for name in "abc"]
    weights = class_weights(setting, "abc", labels)
    np.testing.assert_allclose(weights, np.array(factors)[labels], rtol=1e-6)
    chosen = settings("epochs: 1, batch_size: 8")
    these = Examples(pixels(7), np.arange(7), labels, make_objective(chosen, 3), weights)
    model, _ = network("flatten")
    found = answers(model, these)
    record = fitted(model, chosen, Feed(these, 8, seed=0), None, tmp_path)
    expected = (np.array(factors)[labels] * cross(np.eye(3)[labels], found)).mean()
    assert record.history[0]["loss"] == pytest.approx(expected, rel=1e-5)


def test_balanced_weights_are_scikit_learns():
    labels = np.random.default_rng(0).choice(4, 200, p=[0.5, 0.3, 0.15, 0.05])
    theirs = compute_class_weight("balanced", classes=np.arange(4), y=labels)
    ours = class_weights("balanced", "abcd", labels)
    np.testing.assert_allclose(ours, theirs[labels], rtol=1e-6)
    assert ours.mean() == pytest.approx(1)
    assert class_weights(None, "abcd", labels) is None


ROWS = np.array(
    [[1, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 1]], np.uint8
)
"""Nine images with several labels."""


def test_several_labels_are_a_row_of_their_shares():
    encoded = Objective("", "several", 3).encode(ROWS)
    assert encoded.dtype == np.float32
    assert encoded.tolist() == ROWS.tolist()
    soft = Objective("", "several", 3).encode_mixed(ROWS, (((0, 0.25), (2, 0.75)), ((1, 1.0),)))
    assert soft.tolist() == [[1, 0.75, 0.25], [0, 0, 0]]


def each(labels, p):
    return -(labels * np.log(p) + (1 - labels) * np.log(1 - p))


SEVERAL_LOSSES = {
    "crossentropy": ("", lambda p: each(ROWS, p)),
    "smoothed": ("label_smoothing: 0.3", lambda p: each(0.7 * ROWS + 0.15, p)),
    "squared": ("loss: mean_squared_error", lambda p: (ROWS - p) ** 2),
}


@pytest.mark.parametrize("setting", [None, "balanced", {"b": 3.0}], ids=str)
@pytest.mark.parametrize(("train", "loss"), SEVERAL_LOSSES.values(), ids=SEVERAL_LOSSES)
def test_the_loss_of_several_labels_by_hand(train, loss, setting, tmp_path):
    """The mean over images and labels; weights are of each label of each image, and no part of the validation."""
    still = "optimizer: {sgd: {learning_rate: 1.0e-12}}"
    chosen = settings(f"epochs: 1, batch_size: 9, {still}, {train}", rest=SEVERAL)
    weights = class_weights(setting, "abc", ROWS)
    objective = make_objective(chosen, 3)
    training, validation = (
        Examples(pixels(9), np.arange(9), ROWS, objective, weighing) for weighing in (weights, None)
    )
    model, _ = network("flatten", output="multi_label")
    found = answers(model, training)
    (figures,) = fitted(model, chosen, Feed(training, 9), Feed(validation, 9), tmp_path).history
    expected = loss(found)
    factors = np.ones_like(expected)
    if setting == "balanced":
        counts = ROWS.sum(axis=0)
        factors = np.where(ROWS > 0, 9 / (2 * counts), 9 / (2 * (9 - counts)))
        np.testing.assert_allclose(weights.mean(axis=0), 1, rtol=1e-6)
    elif setting is not None:
        factors[:, 1] = np.where(ROWS[:, 1] > 0, 3, 1)
    assert figures["loss"] == pytest.approx((factors * expected).mean(), rel=1e-5)
    assert figures["val_loss"] == pytest.approx(expected.mean(), rel=1e-5)
    assert figures["accuracy"] == pytest.approx(((found > 0.5) == ROWS).all(axis=1).mean())


def test_the_weights_of_mixed_labels_are_those_of_their_shares():
    weights = class_weights("balanced", "abc", ROWS)
    these = Examples(pixels(9), np.arange(9), ROWS, Objective("", "several", 3), weights)
    shares = ((0, 0.7), (2, 0.3))
    feed = Feed(these, 9, vary=lambda number, epoch: Varied(these.image(number), shares))
    _, labels, factors = feed.make(0, 0)
    feed.close()
    np.testing.assert_allclose(labels[0], 0.7 * ROWS[0] + 0.3 * ROWS[2], rtol=1e-6)
    np.testing.assert_allclose(factors[0], 0.7 * weights[0] + 0.3 * weights[2], rtol=1e-6)

"""Where configs differ."""

from typing import Any

import pytest

from cnnctl.config import Config
from cnnctl.config.difference import ABSENT, differences
from tests.config.build import EVERY_LAYER, FULL, SMALLEST, config, layer_item, with_model

CONV = "conv2d: {filters: 32, kernel_size: 3}"
POOL = "max_pooling2d: {pool_size: 2}"


def found(*configs: Config) -> dict[str, tuple[Any, ...]]:
    listed = differences(configs)
    paths = [one.path for one in listed]
    assert len(set(paths)) == len(paths)
    return {one.path: one.values for one in listed}


def of_models(*models: tuple[str, ...]) -> dict[str, tuple[Any, ...]]:
    return found(*(config(with_model(*items)) for items in models))


def test_the_same_config_has_none_whatever_its_name() -> None:
    assert found(config(FULL), config(FULL)) == {}
    assert found(config(SMALLEST), config("name: other\n" + SMALLEST)) == {}


def test_values_by_dotted_paths() -> None:
    assert found(config(SMALLEST), config(SMALLEST + "train: {epochs: 3}\nseed: 1\n")) == {
        "seed": (0, 1),
        "train.epochs": (20, 3),
    }
    assert of_models((CONV,), ("conv2d: {filters: 8, kernel_size: [3, 5]}",)) == {
        "model[0].conv2d.filters": (32, 8),
        "model[0].conv2d.kernel_size": ([3, 3], [3, 5]),
    }


def test_three_configs_have_three_columns() -> None:
    texts = (SMALLEST, SMALLEST + "seed: 1\n", SMALLEST)
    assert found(*map(config, texts)) == {"seed": (0, 1, 0)}


def test_one_layer_more_is_one_difference() -> None:
    with_norm = (CONV, "batch_normalization", POOL, "flatten")
    without = (CONV, POOL, "flatten")
    assert of_models(with_norm, without) == {"model[1].batch_normalization": ({}, ABSENT)}
    assert of_models(without, with_norm) == {"model[1].batch_normalization": (ABSENT, {})}
    assert of_models(without, with_norm, without) == {"model[1].batch_normalization": (ABSENT, {}, ABSENT)}
    assert of_models((CONV, "flatten"), (CONV, "dropout: {rate: 0.5}", "flatten")) == {
        "model[1].dropout": (ABSENT, {"rate": 0.5})
    }


def test_layers_stand_beside_the_most_alike() -> None:
    larger = CONV.replace("32", "64")
    assert of_models((CONV, "flatten"), (CONV, POOL, larger, "flatten")) == {
        "model[1].max_pooling2d": (ABSENT, {"pool_size": [2, 2]}),
        "model[2].conv2d": (ABSENT, {"kernel_size": [3, 3], "filters": 64}),
    }
    assert of_models((CONV, POOL, "flatten"), (CONV, POOL.replace("max", "average"), "flatten")) == {
        "model[1]": ({"max_pooling2d": {"pool_size": [2, 2]}}, {"average_pooling2d": {"pool_size": [2, 2]}})
    }


def test_repeated_layers() -> None:
    two, three = (f"repeat: {{times: {times}, layers: [{CONV}, {POOL}]}}" for times in (2, 3))
    assert of_models((two,), (three,)) == {"model[0].repeat.times": (2, 3)}
    other = two.replace("pool_size: 2", "pool_size: 3")
    assert of_models((two,), (other,)) == {"model[0].repeat.layers[1].max_pooling2d.pool_size": ([2, 2], [3, 3])}


def test_what_is_chosen_by_name() -> None:
    adam = SMALLEST + "train: {optimizer: {adam: {learning_rate: 0.01}}}\n"
    sgd = SMALLEST + "train: {optimizer: {sgd: {momentum: 0.5}}}\n"
    assert found(config(SMALLEST), config(adam)) == {"train.optimizer.adam.learning_rate": (0.001, 0.01)}
    assert found(config(adam), config(sgd)) == {
        "train.optimizer": ({"adam": {"learning_rate": 0.01}}, {"sgd": {"momentum": 0.5}})
    }
    assert found(config(SMALLEST), config(sgd))["train.optimizer"][0] == "adam"


def test_what_some_have_not() -> None:
    weighted = SMALLEST + "train: {class_weight: {no: 1, 1e3: 2.5}}\n"
    assert found(config(SMALLEST), config(weighted)) == {"train.class_weight": (None, {"no": 1, "1e3": 2.5})}
    assert found(config(weighted), config(weighted.replace("1e3: 2.5", "yes: 1"))) == {
        "train.class_weight.1e3": (2.5, ABSENT),
        "train.class_weight.yes": (ABSENT, 1),
    }
    stopping = SMALLEST + "train: {early_stopping: {patience: 7}}\n"
    assert found(config(SMALLEST), config(stopping)) == {"train.early_stopping": (None, {"patience": 7})}
    flipped = SMALLEST + "augment: [random_flip: {mode: horizontal}]\n"
    assert found(config(SMALLEST), config(flipped)) == {"augment[0].random_flip": (ABSENT, {"mode": "horizontal"})}


@pytest.mark.parametrize("kind", EVERY_LAYER)
def test_every_layer_can_be_more(kind: str) -> None:
    item = layer_item(kind, EVERY_LAYER[kind])
    ((path, (before, after)),) = of_models((CONV,), (CONV, item)).items()
    assert path == f"model[1].{kind}"
    assert before is ABSENT
    assert isinstance(after, dict)


def test_two_networks_that_share_nothing() -> None:
    paths = of_models((CONV, POOL), ("flatten", "dense: {units: 3}"))
    assert list(paths) == [
        "model[0].conv2d",
        "model[1].max_pooling2d",
        "model[0].flatten",
        "model[1].dense",
    ]


def test_lists_longer_than_any_network() -> None:
    assert len(of_models(("dropout: {rate: 0.5}",) * 600, ("dropout: {rate: 0.5}",) * 601)) == 1

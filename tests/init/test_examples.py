"""The ready configs are all there, and their copies say what they say."""

import pytest

from cnnctl.architecture.planner import plan_of
from cnnctl.architecture.warnings import find_warnings
from cnnctl.config import load
from cnnctl.errors import UsageError
from cnnctl.init.examples import read_example
from cnnctl.ready import EXAMPLES
from tests.conftest import CONFIGS

BLANKS = {
    "digits": [],
    "lenet5": [],
    "article": ["cats-dogs"],
    "cats-dogs": ["cats-dogs"],
    "cifar10": ["cifar10/train", "cifar10/test"],
    "cifar10-airbench": ["cifar10/train", "cifar10/test"],
    "csv-digits": ["digits/train.csv", "{path: filename, label: digit, folder: digits/images}"],
}


def test_every_ready_config_has_a_name():
    assert sorted(EXAMPLES.values()) == sorted(path.name for path in CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_copy_is_the_same_config(name, tmp_path):
    example = read_example(name)
    path = tmp_path / "config.yaml"
    path.write_text(example.text)
    ours, theirs = load(path), load(CONFIGS / EXAMPLES[name])
    here, there = str(tmp_path), str(CONFIGS)
    assert repr(ours).replace(here, there) == repr(theirs)
    assert "schema" not in example.text
    assert example.about.endswith((".", ".csv"))
    assert "#" not in example.about


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_lines_to_fill_in_are_named(name):
    example = read_example(name)
    lines = example.text.splitlines()
    assert [blank.text.partition(": ")[2] for blank in example.blanks] == BLANKS[name]
    for blank in example.blanks:
        line = lines[blank.line - 1]
        assert line.strip().startswith(blank.text)
        assert line.endswith(f"# <- {blank.what}")
    assert len(example.blanks) == example.text.count("# <-")


@pytest.mark.parametrize(("output", "params"), [("sigmoid", 219_801), ("softmax", 438_842)])
def test_article_is_the_network_of_the_article_and_its_comment_says_how_to_get_that_of_its_code(output, params):
    assert f"{params:,}" in read_example("article").about
    config = load(CONFIGS / EXAMPLES["article"], [f"output={output}"])
    assert plan_of(config, 2, "article").total_params == params


def test_airbench_is_the_published_network():
    """About 120 million multiply-adds an image, in 2 million parameters; each convolution by hand."""
    config = load(CONFIGS / EXAMPLES["cifar10-airbench"])
    plan = plan_of(config, 10, "airbench")
    first = 31 * 31 * 2 * 2 * 3 * 24
    sides = ((31, 24, 64), (15, 64, 64), (15, 64, 256), (7, 256, 256), (7, 256, 256), (3, 256, 256))
    convolutions = [side * side * 9 * channels * filters for side, channels, filters in sides]
    assert plan.multiply_adds == first + sum(convolutions) + 256 * 10 == 118_147_360
    kernels = 288 + sum(9 * channels * filters for _, channels, filters in sides) + 2560
    assert plan.total_params == kernels + 3 * (64 * 2 + 256 * 4) == 1_973_920
    assert plan.layers[0].trainable_params == 0


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_of_a_ready_config_is_warned_of(name):
    config = load(CONFIGS / EXAMPLES[name])
    found = [warning.message for warning in find_warnings(plan_of(config, config.classes or 10, name))]
    lost = {"max_pooling2d": "31x31x64", "max_pooling2d_1": "15x15x256", "max_pooling2d_2": "7x7x256"}
    published = [f"{row} never reads the last 1 row and 1 column of its {size} input" for row, size in lost.items()]
    assert found == (published if name == "cifar10-airbench" else [])


@pytest.mark.parametrize(
    ("name", "hint"), [("digit", "did you mean digits?"), ("q", "the examples are digits, lenet5,")]
)
def test_a_misspelt_name(name, hint):
    with pytest.raises(UsageError, match="there is no example") as caught:
        read_example(name)
    assert caught.value.hint.startswith(hint)

import pytest

from cnnctl.config import load
from cnnctl.errors import EXIT_CONFIG, EXIT_DATA, ConfigError, Position, Problem
from tests.config.build import EVERY_LAYER, FULL, problems, with_model

GOLDEN = {
    "unknown layer": (
        with_model("conv3d: {filters: 8}"),
        """\
c.yaml:3:5: model[0]: there is no layer called conv3d
    3 |   - conv3d: {filters: 8}
      |     ^
hint: did you mean conv2d?""",
    ),
    "unknown key": (
        with_model("conv2d: {filters: 8, kernel_size: 3, stride: 2}"),
        """\
c.yaml:3:42: model[0].conv2d.stride: there is no such key
    3 |   - conv2d: {filters: 8, kernel_size: 3, stride: 2}
      |                                          ^
hint: did you mean strides?""",
    ),
    "missing key": (
        with_model("flatten", "dense: {activation: relu}"),
        """\
c.yaml:4:5: model[1].dense.units: a required key is missing
    4 |   - dense: {activation: relu}
      |     ^
hint: add it: units: 128""",
    ),
    "wrong type": (
        with_model("flatten", rest='train:\n  epochs: "20"\n'),
        """\
c.yaml:3:3: train.epochs: expected a whole number
    3 |   epochs: "20"
      |   ^
received: epochs="20\"""",
    ),
    "a comma in a number": (
        with_model("dropout: {rate: '0,5'}"),
        """\
c.yaml:3:15: model[0].dropout.rate: expected a number
    3 |   - dropout: {rate: '0,5'}
      |               ^
received: rate=0,5
hint: write a decimal point: 0.5""",
    ),
    "padding of a pooling": (
        with_model("l2_pooling2d: {pool_size: 2, padding: 1}"),
        """\
c.yaml:3:34: model[0].l2_pooling2d.padding: pooling takes valid or same: padding with zeros would change what it computes
    3 |   - l2_pooling2d: {pool_size: 2, padding: 1}
      |                                  ^
received: padding=1""",  # noqa: E501
    ),
    "the whole file": (
        with_model("flatten", rest="output: sigmoid\nclasses: 3\n"),
        """\
c.yaml:1:1: output: sigmoid is for exactly two classes
    1 | data: {train: photos}
      | ^""",
    ),
    "two at once": (
        "data: {}\nmodel:\n- flaten\n",
        """\
c.yaml:1:1: data.train: a required key is missing
    1 | data: {}
      | ^
hint: add it: train: photos

c.yaml:3:3: model[0]: there is no layer called flaten
    3 | - flaten
      |   ^
hint: did you mean flatten?""",
    ),
    "YAML": (
        "data: {train: 'photos}\nmodel: [flatten]\n",
        """\
c.yaml:1:15: this is not YAML: found unexpected end of stream while scanning a quoted scalar
    1 | data: {train: 'photos}
      |               ^
hint: a quote is not closed""",
    ),
}


@pytest.mark.parametrize(("text", "golden"), GOLDEN.values(), ids=GOLDEN)
def test_golden_messages(tmp_path, monkeypatch, text, golden):
    monkeypatch.chdir(tmp_path)
    path = (tmp_path / "c.yaml").relative_to(tmp_path)
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == golden
    assert caught.value.exit_code == EXIT_CONFIG


BROKEN = [
    *(text for text, _ in GOLDEN.values()),
    "data:\ttrain\nmodel:\t[é, 日本, {conv2d: {kernel_size: 'x\ty', foo: 1}}]\n",
    "é: &a [1, *a, *b, !!str x, 010]\ndata: 1\ndata: 2\n",
    "\r\ndata: {x: 1}\r\nmodel: [{flatten: {é: 1}}]\r\n",
    *(with_model(kind) for kind in EVERY_LAYER if EVERY_LAYER[kind]),
    *(FULL.replace(word, "x") for word in ("data", "model", "photos/train", "horizontal", "0.1", "32", "sgd")),
    *(FULL[:cut] for cut in range(0, len(FULL), 53)),
]


@pytest.mark.parametrize("text", BROKEN)
def test_each_message_quotes_its_line_with_the_caret_under_the_column(text):
    found = [one for one in problems(text) if one.position is not None]
    for one in found:
        head, quoted, caret, *rest = str(one).split("\n")
        origin, line, column, _ = head.split(":", 3)
        line, column = int(line), int(column)
        assert (origin, line, column) == ("c.yaml", one.position.line, one.position.column)
        source_line = (text.splitlines() or [""])[line - 1]
        gutter = f"{line:>5} | "
        assert quoted == gutter + source_line
        assert caret.index("^") == len(gutter) + column - 1 == len(caret) - 1
        # whatever stands before the caret is as wide as what it stands under
        assert caret[len(gutter) : -1] == "".join("\t" if char == "\t" else " " for char in source_line[: column - 1])
        assert all(text.startswith(("received: ", "hint: ")) for text in rest)


def test_the_broken_texts_are_broken():
    whole = [text for text in BROKEN if not problems(text)]
    assert len(BROKEN) - len(whole) > 40


def test_a_problem_without_a_place_begins_with_error():
    text = str(Problem("there are no images", path="data.train", received="photos", hint="look there"))
    assert text == "error: data.train: there are no images\nreceived: photos\nhint: look there"


@pytest.mark.parametrize(
    ("codes", "code"),
    [((EXIT_CONFIG,), EXIT_CONFIG), ((EXIT_DATA, EXIT_DATA), EXIT_DATA), ((EXIT_DATA, EXIT_CONFIG), EXIT_CONFIG)],
)
def test_a_mistake_of_the_config_beats_one_of_the_data(codes, code):
    assert ConfigError([Problem("x", exit_code=one) for one in codes]).exit_code == code


def test_the_caret_keeps_tabs():
    problem = Problem("x", position=Position("c.yaml", 12345, 4, "\té\tz"))
    assert str(problem) == "c.yaml:12345:4: x\n12345 | \té\tz\n      | \t \t^"

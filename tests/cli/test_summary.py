"""`cnnctl summary` and `cnnctl schema`."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.command import fail, succeed
from tests.conftest import CONFIGS, Trained


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "classes: 2\ndata: {train: nowhere, image: {size: 32}}\n"
        "model: [{conv2d: {filters: 10, kernel_size: 3, activation: relu}}, {max_pooling2d: {pool_size: 2}}, flatten]\n"
    )
    return path


def test_the_only_config_of_the_folder_is_taken(tiny: Path) -> None:
    assert succeed("summary", cwd=tiny.parent) == succeed("summary", tiny, cwd=tiny.parent)


def test_columns_add_up_to_the_totals(tiny: Path) -> None:
    lines = succeed("summary", cwd=tiny.parent).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("─")) + 1
    rows = [line.split() for line in lines[start : lines.index("", start)]]
    assert [row[0] for row in rows] == ["conv2d", "max_pooling2d", "flatten", "dense"]
    counts = [int(row[-4 if row[-1] == "image" else -3].replace(",", "")) for row in rows]
    assert counts == [280, 0, 0, 15 * 15 * 10 * 2 + 2]
    assert f"parameters         {sum(counts):,} ({sum(counts):,} trained, 0 not)" in lines


def test_formulas_substitute_the_numbers(tiny: Path) -> None:
    printed = succeed("summary", "--formulas", cwd=tiny.parent)
    assert "floor((32 - 3 + 0) / 1) + 1 = 30" in printed
    assert "3 * 3 * 3 * 10 + 10 biases = 280" in printed


def test_json_of_a_config_a_run_and_its_keras_file_agree(digits_run: Trained) -> None:
    by_config = json.loads(succeed("summary", CONFIGS / "digits.yaml", "--json", cwd=digits_run.folder))
    by_run = json.loads(succeed("summary", "--json", cwd=digits_run.folder))
    by_file = json.loads(succeed("summary", digits_run.run / "model.keras", "--json", cwd=digits_run.folder))
    numbers = ("input_shape", "total_params", "trainable_params", "non_trainable_params", "multiply_adds")
    assert [by_config[key] for key in numbers] == [by_run[key] for key in numbers] == [by_file[key] for key in numbers]
    shapes = [[layer["output_shape"] for layer in one["layers"]] for one in (by_config, by_run, by_file)]
    assert shapes[0] == shapes[1] == shapes[2]
    assert by_config["input_shape"] == [8, 8, 1]
    assert by_config["layers"][-1]["output_shape"] == [10]
    assert by_config["layers"][0]["settings"]["kernel_size"] == [3, 3]


def test_a_run_may_be_named_with_the_option(digits_run: Trained) -> None:
    expected = succeed("summary", digits_run.run, "--json", cwd=digits_run.folder)
    for words in (["--run", digits_run.run], ["--run", "best"], ["best"], ["runs/digits/best"]):
        found = json.loads(succeed("summary", *words, "--json", cwd=digits_run.folder))
        assert {**found, "name": ""} == {**json.loads(expected), "name": ""}
    assert "two runs are named" in fail(2, "summary", digits_run.run, "--run", "best", cwd=digits_run.folder)


def test_impossible_layers_are_shown_where_they_stand(tiny: Path) -> None:
    tiny.write_text(tiny.read_text().replace("size: 32", "size: 2"))
    said = fail(2, "summary", cwd=tiny.parent)
    assert said.startswith("tiny.yaml:3:")
    assert "model[0].conv2d.kernel_size: the output would be empty" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 4, "there is no run yet"),
        (["x.yaml"], 2, "there is no config at x.yaml"),
        (["x.keras"], 4, "there is no file x.keras"),
        (["--run", "x"], 4, "there is no run at x"),
        (["garbage.keras"], 4, "is not a .keras file"),
    ],
)
def test_mistakes(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "garbage.keras").write_text("PK")
    assert said in fail(code, "summary", *arguments, cwd=tmp_path)


@pytest.mark.parametrize("train", ["nowhere", "nowhere.csv", "empty", "locked"])
def test_a_config_with_classes_needs_no_data(train: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "locked").mkdir(mode=0)
    text = f"classes: 7\ndata: {{train: {train}, test: gone, image: {{size: 8}}}}\nmodel: [flatten]\n"
    (tmp_path / "c.yaml").write_text(text)
    found = json.loads(succeed("summary", "c.yaml", "--json", cwd=tmp_path))
    assert found["layers"][-1]["output_shape"] == [7]
    (tmp_path / "c.yaml").write_text(text.partition("\n")[2])
    assert "add `classes: 10` at the top" in fail(3, "summary", "c.yaml", cwd=tmp_path)
    found = json.loads(succeed("summary", "c.yaml", "--set", "classes=7", "--json", cwd=tmp_path))
    assert found["layers"][-1]["output_shape"] == [7]


def test_without_data_and_without_classes_it_says_what_to_write(tiny: Path) -> None:
    tiny.write_text(tiny.read_text().replace("classes: 2\n", ""))
    assert "add `classes: 10` at the top" in fail(3, "summary", cwd=tiny.parent)


def test_schema_is_json_on_stdout(tmp_path: Path) -> None:
    assert json.loads(succeed("schema", cwd=tmp_path)) == json.loads((CONFIGS / "schema.json").read_text())


def test_a_picture_of_the_network(tiny: Path) -> None:
    printed = succeed("summary", tiny, cwd=tiny.parent)
    assert succeed("summary", tiny, "--plot", "plots/tiny.png", cwd=tiny.parent) == printed
    with Image.open(tiny.parent / "plots" / "tiny.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height > 200


def test_a_picture_never_takes_the_place_of_the_model(tmp_path: Path) -> None:
    said = fail(2, "summary", "x.keras", "--plot", "x.keras", cwd=tmp_path)
    assert said == "error: the picture is a PNG file; received: --plot x.keras\nhint: use the ending .png\n"

"""`cnnctl evaluate`: figures, files, and what is refused."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.command import cnnctl, fail, succeed
from tests.conftest import Trained


@pytest.fixture
def work(digits_run: Trained, tmp_path: Path) -> Path:
    """A folder with a copy of the session's run as its latest one."""
    shutil.copytree(digits_run.run, tmp_path / "runs" / "digits" / "1")
    (tmp_path / "runs" / "latest").symlink_to("digits/1")
    return tmp_path


def test_the_test_split_again_gives_the_figures_of_the_training(work: Path) -> None:
    run = work / "runs" / "digits" / "1"
    before = json.loads((run / "metrics.json").read_text())
    predictions = (run / "predictions.csv").read_text()
    after = json.loads(succeed("evaluate", "--json", cwd=work))
    assert json.loads((run / "metrics.json").read_text()) == after
    assert after["split"] == "test"
    assert after["images"] == 359
    assert after["accuracy"] == before["accuracy"]
    assert after["loss"] == pytest.approx(before["loss"], abs=1e-6)
    assert after["validation"] == before["validation"]
    assert after["onnx"] == before["onnx"]
    with (run / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [row["path"] for row in csv.DictReader(predictions.splitlines())]
    assert sum(row["correct"] == "true" for row in rows) / len(rows) == after["accuracy"]
    assert sum(map(sum, after["confusion_matrix"])) == 359


def test_text_names_the_figures(work: Path) -> None:
    printed = succeed("evaluate", cwd=work, fresh=True)
    for word in ("accuracy", "95% interval", "top-5 accuracy", "expected calibration error", "precision", "support"):
        assert word in printed


def test_the_run_is_an_argument_or_an_option_and_one_that_was_chosen_is_named(work: Path) -> None:
    named = "runs/digits/1"
    figures = json.loads(succeed("evaluate", named, "--json", cwd=work))
    for words, said in (
        (["--run", named], ""),
        ([named, "--run", named], ""),
        ([], "run: runs/digits/1 (test accuracy "),
        (["--run", "best"], "(test accuracy "),
    ):
        done = cnnctl("evaluate", *words, "--json", cwd=work)
        assert json.loads(done.stdout) == figures
        assert said in done.stderr
    assert "two runs are named: runs/digits/1 and runs/other" in fail(
        2, "evaluate", named, "--run", "runs/other", cwd=work
    )


def test_another_split_is_nested_and_leaves_the_main_figures(work: Path) -> None:
    run = work / "runs" / "digits" / "1"
    before = json.loads((run / "metrics.json").read_text())
    predictions = (run / "predictions.csv").read_bytes()
    after = json.loads(succeed("evaluate", "--split", "train", "--json", cwd=work))
    assert after["train"]["images"] == 1169
    assert {**after, "train": None} == {**before, "train": None}
    assert (run / "predictions.csv").read_bytes() == predictions


def test_new_data_goes_under_evaluations_and_touches_nothing_else(work: Path) -> None:
    run = work / "runs" / "digits" / "1"
    digits = Path(os.environ["XDG_CACHE_HOME"]) / "cnnctl" / "digits-1"
    for name in ("4", "7"):
        shutil.copytree(digits / name, work / "new" / name)
    before = (run / "metrics.json").read_bytes()
    for number in ("1", "2"):
        printed = json.loads(succeed("evaluate", "--data", "new", "--json", cwd=work))
        folder = run / "evaluations" / number
        assert json.loads((folder / "metrics.json").read_text()) == printed
        assert (folder / "plots" / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
        assert printed["per_class"]["5"]["support"] == 0
    assert (run / "metrics.json").read_bytes() == before
    (work / "new" / "7").rename(work / "new" / "seven")
    said = fail(3, "evaluate", "--data", "new", cwd=work)
    assert "has the class seven, which the run was not trained on" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--split", "tests"], 2, "there is no split tests"),
        (["--split", "test", "--data", "x"], 2, "cannot be combined"),
        (["--data", "nowhere"], 3, "there is no folder"),
        (["--run", "nowhere"], 4, "there is no run at nowhere"),
    ],
)
def test_mistakes(arguments: list[str], code: int, said: str, work: Path) -> None:
    assert said in fail(code, "evaluate", *arguments, cwd=work)


def test_a_run_that_lacks_its_model_says_so(work: Path) -> None:
    (work / "runs" / "digits" / "1" / "model.onnx").unlink()
    assert "has no model.onnx" in fail(4, "evaluate", cwd=work)

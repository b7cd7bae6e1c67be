"""Judging a run on its own images and on new ones, and which files that touches."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from cnnctl.config.schema import CsvColumns
from cnnctl.errors import EXIT_DATA, EXIT_RUN, DataError, RunError, UsageError
from cnnctl.evaluation.evaluate import default_split, evaluate, evaluate_data, evaluate_split
from cnnctl.runs import Run
from cnnctl.system import files
from tests.inference.build import COLOURS, colour_run, paint

PLOTS = {f"{name}.png" for name in ("confusion_matrix", "confusion_matrix_normalised", "f1", "mistakes", "reliability")}
SHADES = {"red": (220, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 220)}


def nothing(done: int, total: int) -> None:
    """Nobody watches."""


def photos(folder: Path, count: int = 3) -> list[tuple[str, str]]:
    """(path, label) of `count` images of each colour in class folders; the last green one is red in truth."""
    found = []
    for name in COLOURS:
        for number in range(count):
            shade = SHADES["red" if (name, number) == ("green", count - 1) else name]
            found.append((paint(folder / name / f"{number}.png", *shade), name))
    return found


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of red, green and blue with 3 training, 3 validation and 3 test images, one of each class."""
    made = colour_run(tmp_path / "colours" / "7")
    images = photos(tmp_path / "photos")
    splits = [("train", "validation", "test")[number % 3] for number in range(9)]
    rows = [(path, label, split) for (path, label), split in zip(images, splits, strict=True)]
    files.write_csv(made.split, ("path", "label", "split"), rows)
    return made


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def contents(run: Run) -> dict[str, bytes]:
    return {str(path.relative_to(run.path)): path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def test_the_test_split_is_the_runs_own_figure(run):
    seen = []
    evaluation = evaluate_split(run, None, lambda done, total: seen.append((done, total)))
    assert seen == [(3, 3)]
    assert (evaluation.split, evaluation.folder) == ("test", run.path)
    written = json.loads(run.metrics.read_text())
    assert written == evaluation.content
    assert (written["split"], written["images"], written["accuracy"]) == ("test", 3, pytest.approx(2 / 3))
    assert written["confusion_matrix"] == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    predictions = rows_of(run.predictions)
    assert list(predictions[0]) == ["path", "label", "predicted", "probability", "correct"]
    assert [(row["label"], row["predicted"], row["correct"]) for row in predictions] == [
        ("red", "red", "true"),
        ("green", "red", "false"),
        ("blue", "blue", "true"),
    ]
    assert all(float(row["probability"]) == pytest.approx(1, abs=1e-6) for row in predictions)
    assert {path.name for path in run.plots.iterdir()} == PLOTS


def test_other_splits_are_nested_and_touch_nothing_else(run):
    files.write_json(run.metrics, {"onnx": {"written": True}})
    main = evaluate_split(run, "test", nothing).content
    before = contents(run)
    other = evaluate_split(run, "validation", nothing)
    assert other.folder == run.evaluations / "validation"
    assert other.metrics.accuracy == 1
    assert other.content == {**main, "validation": other.content["validation"]}
    assert other.content["onnx"] == {"written": True}
    assert other.content["validation"]["accuracy"] == 1
    after = contents(run)
    assert {name for name in after if after[name] != before.get(name)} == {
        "metrics.json",
        "prediction_sets.json",
        "evaluations/validation/predictions.csv",
        *(f"evaluations/validation/plots/{name}" for name in PLOTS),
    }
    again = evaluate_split(run, None, nothing)
    sets = again.content["prediction_sets"]  # by the validation images
    assert again.content == {**other.content, "prediction_sets": sets}  # the main figures anew, what was nested kept
    third = evaluate_split(run, "train", nothing).content
    assert {"onnx", "validation", "train"} <= set(third)
    assert (third["split"], third["accuracy"]) == ("test", main["accuracy"])


@pytest.mark.parametrize(
    ("present", "chosen"),
    [("train validation test", "test"), ("train validation", "validation"), ("train", "train"), ("test train", "test")],
)
def test_which_split_a_run_is_judged_by(present, chosen, tmp_path):
    run = Run(tmp_path)
    files.write_csv(run.split, ("path", "label", "split"), [("x.png", "red", split) for split in present.split()])
    assert default_split(run) == chosen


def test_a_split_that_the_run_lacks(run):
    rows = [(row["path"], row["label"], "train") for row in rows_of(run.split)]
    files.write_csv(run.split, ("path", "label", "split"), rows)
    with pytest.raises(DataError) as caught:
        evaluate_split(run, "test", nothing)
    assert caught.value.message == f"the run {run.path} has no test images"
    assert caught.value.hint == "it has train: --split train"


def test_new_data_goes_under_evaluations_and_nowhere_else(run, tmp_path):
    evaluate_split(run, None, nothing)
    before = contents(run)
    photos(tmp_path / "new", count=5)
    for number in ("1", "2"):
        evaluation = evaluate_data(run, str(tmp_path / "new"), CsvColumns(), nothing)
        assert evaluation.folder == run.evaluations / number
        assert evaluation.split == evaluation.content["split"] == str(tmp_path / "new")
        assert json.loads((evaluation.folder / "metrics.json").read_text()) == evaluation.content
        assert evaluation.metrics.accuracy == pytest.approx(14 / 15)
        assert len(rows_of(evaluation.folder / "predictions.csv")) == 15
        assert {path.name for path in (evaluation.folder / "plots").iterdir()} == PLOTS
    after = contents(run)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in set(after) - set(before)} == {"evaluations"}


def test_classes_are_matched_by_name_and_may_be_fewer(run, tmp_path):
    """The folders' order is not the run's."""
    paint(tmp_path / "new" / "green" / "1.png", *SHADES["green"])
    paint(tmp_path / "new" / "red" / "1.png", *SHADES["red"])
    metrics = evaluate_data(run, str(tmp_path / "new"), CsvColumns(), nothing).metrics
    assert metrics.accuracy == 1
    assert metrics.classes == COLOURS
    assert [one.support for one in metrics.per_class] == [1, 1, 0]


def test_a_csv_with_its_own_columns(run, tmp_path):
    paint(tmp_path / "a.png", *SHADES["blue"])
    table = tmp_path / "new.csv"
    table.write_text("file,class\na.png,blue\n")
    assert evaluate_data(run, str(table), CsvColumns(path="file", label="class"), nothing).metrics.accuracy == 1


def test_an_unknown_class_is_refused_by_name_before_anything_is_written(run, tmp_path):
    photos(tmp_path / "new")
    paint(tmp_path / "new" / "infrared" / "1.png", 1, 1, 1)
    with pytest.raises(DataError) as caught:
        evaluate_data(run, str(tmp_path / "new"), CsvColumns(), nothing)
    assert caught.value.exit_code == EXIT_DATA == 3
    assert caught.value.message == f"{tmp_path / 'new'} has the class infrared, which the run was not trained on"
    assert caught.value.hint == "it knows red, green, blue"
    assert not run.evaluations.exists()


def test_missing_and_broken_images_are_named(run, tmp_path):
    gone, broken, _ = (Path(row["path"]) for row in rows_of(run.split) if row["split"] == "test")
    gone.unlink()
    broken.write_text("no image")
    with pytest.raises(DataError) as caught:
        evaluate_split(run, None, nothing)
    assert caught.value.message == (
        f"2 of 3 images cannot be used: {gone}: there is no such file; {broken}: it is a text file"
    )
    assert not run.metrics.exists()


def test_an_empty_folder_and_a_run_without_a_model(run, tmp_path):
    (tmp_path / "empty" / "red").mkdir(parents=True)
    with pytest.raises(DataError, match="no image was found in "):
        evaluate_data(run, str(tmp_path / "empty"), CsvColumns(), nothing)
    run.onnx_model.unlink()
    with pytest.raises(RunError, match=r"has no model\.onnx") as caught:
        evaluate_split(run, None, nothing)
    assert caught.value.exit_code == EXIT_RUN


def test_a_sigmoid_run_is_judged_by_both_classes(tmp_path):
    run = colour_run(tmp_path / "run", ("cold", "warm"), units=1)
    for name, shade in (("cold", SHADES["blue"]), ("warm", SHADES["red"])):
        for number in range(3):
            paint(tmp_path / "new" / name / f"{number}.png", *shade)
    evaluation = evaluate_data(run, str(tmp_path / "new"), CsvColumns(), nothing)
    metrics = evaluation.metrics
    assert {path.name for path in (evaluation.folder / "plots").iterdir()} == {
        *PLOTS,
        "roc.png",
        "precision_recall.png",
    }
    assert (metrics.accuracy, metrics.roc_auc) == (1, 1)
    assert metrics.loss == pytest.approx(0, abs=1e-6)
    assert np.array(metrics.confusion_matrix).tolist() == [[3, 0], [0, 3]]


def new_list(run, tmp_path) -> Path:
    """A CSV of one red image, and another image of that name where the run's own CSV has its images."""
    old = Path(paint(tmp_path / "old" / "1.png", *SHADES["blue"])).parent
    paint(tmp_path / "new" / "1.png", *SHADES["red"])
    table = tmp_path / "new" / "new.csv"
    table.write_text("path,label\n1.png,red\n")
    data = {"train": "photos", "csv": {"group": "patient", "folder": str(old)}}
    files.write_json(run.config, {"data": data, "model": ["flatten"]})
    return table


def test_new_images_are_those_beside_the_csv(run, tmp_path):
    """Not old ones of the same names, in the folder that the training's CSV names."""
    table = new_list(run, tmp_path)
    assert evaluate(run, str(table), None, nothing).metrics.accuracy == 1
    old = evaluate(run, str(table), None, nothing, str(tmp_path / "old"))
    assert old.metrics.accuracy == 0
    assert [row["path"] for row in rows_of(old.folder / "predictions.csv")] == [str(tmp_path / "old" / "1.png")]


def test_a_folder_is_for_a_csv(run, tmp_path):
    new_list(run, tmp_path)
    for data in (None, str(tmp_path), "digits"):
        with pytest.raises(UsageError, match="a folder can only be named for a CSV"):
            evaluate(run, data, None, nothing, str(tmp_path / "old"))


def test_new_images_that_are_not_there_are_looked_for_with_an_option(run, tmp_path):
    """The hint names the folder that has them, where it is the only one: the one above, or that of the training."""
    table = new_list(run, tmp_path)
    (tmp_path / "new" / "1.png").rename(tmp_path / "1.png")
    base = f"file names are looked up in {tmp_path / 'new'}"
    expected = ("", f", and the files are in {tmp_path / 'old'}", "")
    for found, gone in zip(expected, ("1.png", "old/1.png", None), strict=True):
        with pytest.raises(DataError) as caught:
            evaluate(run, str(table), None, nothing)
        assert caught.value.hint == f"{base}{found}; --folder names another folder"
        if gone is not None:
            (tmp_path / gone).unlink()


def test_what_is_left_out_of_new_images_is_counted_and_links_are_followed(run, tmp_path):
    paint(tmp_path / "store" / "1.png", *SHADES["red"])
    for name in ("new/red/1.png", "new/red/@eaDir/1.png", "new/lost+found/1.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).symlink_to(tmp_path / "store" / "1.png")
    evaluation = evaluate_data(run, str(tmp_path / "new"), CsvColumns(), nothing)
    assert evaluation.metrics.images == 1
    assert evaluation.left_out == {"hidden or system": 2}


def test_labels_of_new_images_that_look_alike_are_compared_in_one_form_and_said(run, tmp_path):
    paint(tmp_path / "1.png", *SHADES["red"])
    (tmp_path / "new.csv").write_text("path,label\n1.png,red \n")
    evaluation = evaluate_data(run, str(tmp_path / "new.csv"), CsvColumns(), nothing)
    assert evaluation.metrics.accuracy == 1
    assert "blanks around 1 value(s) of the column label are left out" in evaluation.notices[0].message
    (tmp_path / "new.csv").write_text("path,label\n1.png,r\u0435d\n")
    with pytest.raises(DataError) as caught:
        evaluate_data(run, str(tmp_path / "new.csv"), CsvColumns(), nothing)
    assert "CYRILLIC SMALL LETTER IE in place of LATIN SMALL LETTER E" in (caught.value.hint or "")


def test_one_of_several_splits_is_to_be_named(run, tmp_path):
    for split in ("train", "test"):
        photos(tmp_path / "my set" / split)
    with pytest.raises(DataError, match="these are splits") as caught:
        evaluate_data(run, str(tmp_path / "my set"), CsvColumns(), nothing)
    assert caught.value.hint == f"evaluate one of them: --data '{tmp_path}/my set/test'"


def test_classes_that_the_run_knows_are_no_splits(tmp_path):
    run = colour_run(tmp_path / "run", ("test", "train", "val"))
    for name, shade in (("test", SHADES["red"]), ("train", SHADES["green"])):
        paint(tmp_path / "new" / name / "1.png", *shade)
    assert evaluate_data(run, str(tmp_path / "new"), CsvColumns(), nothing).metrics.images == 2

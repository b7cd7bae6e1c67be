"""Several labels an image, from a CSV to a served model: digits that are also `even` and `above 4`."""

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from sklearn import metrics as sklearn

import cnnctl
from cnnctl.data.labels import encode
from cnnctl.data.several import joined
from cnnctl.data.sources import digits_folder
from cnnctl.evaluation.metrics import read_figures
from cnnctl.runs import Run
from tests.cli.command import fail, succeed
from tests.conftest import Trained
from tests.forks import python
from tests.serving.build import serving
from tests.several import CONFIG, write
from tests.training.without import Without


@pytest.fixture
def run(several_run: Trained, tmp_path: Path) -> Run:
    """A copy of the run."""
    shutil.copytree(several_run.run, tmp_path / "run")
    return Run(tmp_path / "run")


def rows(run: Run, path: Path) -> list[dict[str, str]]:
    return list(run.read_rows(path, ("path",)))


def test_what_a_training_leaves(several_run: Trained) -> None:
    for title in ("test accuracy (all labels right)", "test mean average precision", "test macro F1", "test micro F1"):
        assert title in several_run.stdout
    run = Run(several_run.run)
    classes = run.read_classes()
    assert classes == (*"0123456789", "above 4", "even")
    assert not run.has(run.prediction_sets)
    plots = {path.stem for path in run.plot_files()}
    assert plots == {"curves", "f1", "mistakes", "precision_recall", "reliability"}

    said = run.read_metrics()
    answers = rows(run, run.predictions)
    assert list(answers[0]) == ["path", "label", "predicted", "probability", "correct", "probabilities"]
    truth, given = (
        encode([row[name] for row in answers], classes, "x", several=True) for name in ("label", "predicted")
    )
    chances = np.array([row["probabilities"].split("|") for row in answers], float)
    assert said["images"] == len(answers) == 60
    assert said["accuracy"] == pytest.approx((truth == given).all(axis=1).mean())
    assert [row["correct"] == "true" for row in answers] == (truth == given).all(axis=1).tolist()
    assert said["macro_f1"] == pytest.approx(sklearn.f1_score(truth, given, average="macro", zero_division=0))
    assert said["micro_f1"] == pytest.approx(sklearn.f1_score(truth, given, average="micro"))
    area = sklearn.average_precision_score(truth, chances, average="macro")
    assert said["mean_average_precision"] == pytest.approx(area, abs=0.01)
    assert said["macro_f1"] > 0.5  # it has learned something
    assert said["calibration"]["temperature"] > 0
    thresholds = run.read_json(run.thresholds)
    assert (thresholds["split"], thresholds["rule"], set(thresholds["classes"])) == ("validation", "f1", set(classes))
    limits = np.array([thresholds["classes"][name]["threshold"] for name in classes])
    assert ((chances >= limits) == given).mean() > 0.999  # they are written with six digits
    assert said["per_class"]["even"]["threshold"] == pytest.approx(limits[-1])
    assert read_figures(said["validation"])["macro_f1"] > 0.5


def test_evaluating_again_says_the_same(run: Run, tmp_path: Path) -> None:
    before, thresholds = run.read_metrics(), run.thresholds.read_bytes()
    printed = succeed("evaluate", "--run", "run", cwd=tmp_path)
    assert "macro F1" in printed
    assert "true \\ predicted" not in printed
    after = run.read_metrics()
    assert after["macro_f1"] == pytest.approx(before["macro_f1"])
    succeed("evaluate", "--run", "run", "--split", "validation", cwd=tmp_path)
    assert run.thresholds.read_bytes() == thresholds

    photos = tmp_path / "photos"
    for name in ("even", "4", "7", "above 4"):
        (photos / name).mkdir(parents=True)
    four, seven = (digits_folder() / digit / sorted(os.listdir(digits_folder() / digit))[-1] for digit in "47")
    shutil.copy(four, photos / "4" / "four.png")
    shutil.copy(seven, photos / "7" / "seven.png")
    os.link(photos / "4" / "four.png", photos / "even" / "four.png")
    (photos / "above 4" / "link.png").symlink_to("../7/seven.png")
    found = json.loads(succeed("evaluate", "--run", "run", "--data", "photos", "--json", cwd=tmp_path))
    assert found["images"] == 2
    assert {row["label"] for row in rows(run, run.evaluations / "1" / "predictions.csv")} == {"4|even", "7|above 4"}


def test_predictions_in_every_format(run: Run, tmp_path: Path) -> None:
    images = [row["path"] for row in rows(run, run.predictions)][:5]
    known = {row["path"]: row for row in rows(run, run.predictions)}
    answers = json.loads(succeed("predict", *images, "--run", "run", "--format", "json", cwd=tmp_path))
    for path, answer in zip(images, answers, strict=True):
        assert answer["label"] == known[path]["predicted"] == joined(one["label"] for one in answer["labels"])
        assert answer["probability"] == pytest.approx(float(known[path]["probability"]), rel=1e-4)
        assert isinstance(answer["unknown"], bool)
    text = succeed("predict", *images, "--run", "run", "--format", "csv", cwd=tmp_path)
    assert [row["label"] for row in csv.DictReader(io.StringIO(text))] == [answer["label"] for answer in answers]
    succeed("predict", *images, "--run", "run", "--format", "parquet", "--output", "a.parquet", cwd=tmp_path)
    alone = succeed("predict", images[0], "--run", "run", cwd=tmp_path).splitlines()
    assert alone[0].partition(" (")[0] == (answers[0]["label"].replace("|", ", ") or "none of the classes")
    assert alone[2].split() == ["class", "probability", "threshold"]
    table = succeed("predict", *images, "--run", "run", cwd=tmp_path)
    assert ", ".join(one["label"] for one in answers[1]["labels"]) in table
    told = fail(2, "predict", images[0], "--run", "run", "--coverage", "0.9", cwd=tmp_path)
    assert "prediction sets are for images with one label" in told


def test_from_python(run: Run) -> None:
    predictor = cnnctl.Predictor(run.path)
    row = rows(run, run.predictions)[0]
    said = predictor.predict(row["path"])
    assert said.label == row["predicted"]
    assert said.labels is not None
    assert joined(name for name, _ in said.labels) == said.label
    found = cnnctl.evaluate(run.path)
    assert found.metrics.macro_f1 == pytest.approx(run.read_metrics()["macro_f1"])
    assert "macro F1" in str(found)


def test_the_report_and_the_comparison(run: Run, several_run: Trained, tmp_path: Path) -> None:
    succeed("report", "run", cwd=tmp_path)
    page = run.report.read_text(encoding="utf-8")
    for words in ("mean average precision", "macro F1", "Each class", "labels on average", "thresholds"):
        assert words.lower() in page.lower(), words
    worse = [{**row, "predicted": "even", "correct": "false"} for row in rows(run, run.predictions)]
    run.write_csv(run.predictions, list(worse[0]), [list(row.values()) for row in worse])
    content = {**run.read_metrics(), "macro_f1": 0.05}
    run.write_json(run.metrics, content)
    found = json.loads(succeed("compare", "run", several_run.run, "--json", cwd=tmp_path))
    (test,) = found["tests"]
    assert (test["best"], test["more_than_chance"]) == ("B", True)
    assert test["macro_f1"]["low"] > 0


def test_served(run: Run) -> None:
    row = rows(run, run.predictions)[0]
    with serving(run.path) as server:
        (answer,) = server.raw(Path(row["path"]).read_bytes()).json
        model = server.ask("GET", "/v1/model").json
        refused = server.raw(Path(row["path"]).read_bytes(), path="/v1/predict?coverage=0.9")
    assert answer["label"] == row["predicted"]
    assert joined(one["label"] for one in answer["labels"]) == row["predicted"]
    assert len(model["thresholds"]) == len(model["classes"]) == 12
    assert refused.status == 422
    assert "one label" in refused.json["error"]


def test_explained(run: Run, tmp_path: Path) -> None:
    image = next(row["path"] for row in rows(run, run.predictions) if row["label"] == "8|above 4|even")
    found = json.loads(
        succeed("explain", image, "--run", "run", "--output", "out", "--numbers", "--json", cwd=tmp_path)
    )
    (answer,) = json.loads(succeed("predict", image, "--run", "run", "--format", "json", cwd=tmp_path))
    assert joined(found["labels"]) == answer["label"]
    assert "All probabilities add up" not in (tmp_path / "out" / "explanation.html").read_text(encoding="utf-8")
    step, output = found["numbers"]["gradient_descent"], found["numbers"]["output"]
    assert (step["true_class"], step["true_class_from"]) == ("8", "folder")
    assert step["p"] == pytest.approx(1 / (1 + np.exp(-output["logits"][8])))
    assert step["loss"] == pytest.approx(-np.log(step["p"]))
    assert step["gradient"] == pytest.approx((step["p"] - 1) * step["x"])
    assert step["disagreement"] < 1e-5
    shown = succeed("explain", image, "--run", "run", "--numbers", cwd=tmp_path)
    assert "sigmoid: p = 1 / (1 + exp(-z)) of each logit by itself" in shown
    assert "softmax" not in shown


def test_exported_and_resumed(run: Run, tmp_path: Path) -> None:
    """The last epoch once more gives the same network."""
    succeed("export", "--run", "run", "--output", "out.onnx", "--quantize", "float16", cwd=tmp_path)
    told = json.loads((tmp_path / "out.onnx.json").read_text())
    assert told["output"]["activation"] == "sigmoid"
    assert list(told["output"]["thresholds"]) == list(run.read_classes())
    assert told["parity"]["equal_answers"] > 0.95
    session = onnxruntime.InferenceSession(str(tmp_path / "out.onnx"))
    assert session.get_outputs()[0].shape[-1] == 12

    before, figures = run.predictions.read_bytes(), run.read_metrics()
    newest = max((run.path / "checkpoints").iterdir())
    shutil.rmtree(newest) if newest.is_dir() else newest.unlink()
    run.environment.unlink()
    succeed("train", "--resume", "run", cwd=tmp_path)
    after = run.read_metrics()
    assert after == figures
    assert run.predictions.read_bytes() == before


def test_the_ejected_script_learns_the_same(tmp_path: Path) -> None:
    write(tmp_path)
    succeed("eject", "digits.yaml", "--set", "deterministic=true", cwd=tmp_path)
    done = python(["train.py"], tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    said = done.stdout.decode()
    assert float(said.partition("macro F1: ")[2].split()[0]) > 0.5
    thresholds = json.loads((tmp_path / "digits.thresholds.json").read_text())
    assert list(thresholds) == [*"0123456789", "above 4", "even"]
    assert all(0 < one < 1 for one in thresholds.values())


def test_on_jax(tmp_path: Path) -> None:
    """With weights of labels, mixed images and a stated precision, from columns of 0 and 1."""
    write(tmp_path)
    names = [*"0123456789", "above 4", "even"]
    with (tmp_path / "digits.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    table = [(row["path"], *(int(name in row["label"].split("|")) for name in names)) for row in listed[::3]]
    with (tmp_path / "digits.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", *names), *table])
    quoted = ", ".join(f"'{name}'" for name in names)
    text = CONFIG.replace("multi_label", "{multi_label: {precision: 0.5}}").replace(
        "image: {size: 8", f"csv: {{label: [{quoted}]}}, image: {{size: 8"
    )
    text = text.replace("epochs: 4", "epochs: 1, class_weight: balanced") + "augment: [mix_up]\n"
    (tmp_path / "digits.yaml").write_text(text)
    Without(tmp_path, "tensorflow", "tf2onnx").run("train", "digits.yaml", "--output", "run")
    run = Run(tmp_path / "run")
    assert run.read_environment()["backend"] == "jax"
    assert run.read_json(run.thresholds)["precision"] == 0.5
    assert 0 <= run.read_metrics()["macro_f1"] <= 1
    assert run.has(run.onnx_model)

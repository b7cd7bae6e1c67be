"""Several labels an image: cross-validation with an ensemble, and a sweep, by the real commands."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from cnnctl.data.labels import encode
from cnnctl.evaluation.labels import f1
from cnnctl.runs import Run
from tests.cli.command import succeed
from tests.docs.test_commands import section
from tests.several import CONFIG, IMAGES, write_csv

SWEEP = """\
config: digits.yaml
trials: 2
space:
  train.optimizer.adam.learning_rate: [0.003, 0.01]
"""


def test_folds_and_their_ensemble(tmp_path: Path) -> None:
    """The validation images are no fold's, so that they choose the thresholds of the ensemble."""
    write_csv(tmp_path / "digits.csv", count=12)
    write_csv(tmp_path / "validation.csv", IMAGES, 6)
    write_csv(tmp_path / "other.csv", 2 * IMAGES, 6)
    text = CONFIG.replace("validation: 0.2, test: 0.2", "validation: validation.csv, test: 0")
    (tmp_path / "digits.yaml").write_text(text)
    words = ("cross-validate", "digits.yaml", "--folds", "2", "--output", "folds", "--ensemble")
    found = json.loads(succeed(*words, "--json", cwd=tmp_path))
    assert (found["images"], "confusion_matrix" in found) == (120, False)
    assert {"accuracy", "macro_f1", "micro_f1", "mean_average_precision"} <= set(found["metrics"])
    assert all(f"`{key}`" in section("cross-validate") for key in found)
    with (tmp_path / "folds" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    truth, given = (
        encode([row[name] for row in rows], found["classes"], "x", several=True) > 0 for name in ("label", "predicted")
    )
    each = f1((truth & given).sum(axis=0), truth.sum(axis=0), given.sum(axis=0))
    assert [one["f1"] for one in found["per_class"].values()] == pytest.approx(each.tolist())
    assert each.mean() > 0.25  # it has learned something
    assert (tmp_path / "folds" / "f1.png").is_file()
    shown = succeed(*words, cwd=tmp_path)
    assert "accuracy (all labels right)" in shown
    assert "macro F1" in shown

    made = Run(tmp_path / "folds" / "ensemble")
    thresholds = made.read_json(made.thresholds)
    assert (thresholds["split"], thresholds["images"], list(thresholds["classes"])) == (
        *("validation", 60),
        found["classes"],
    )
    answers = list(made.read_rows(made.predictions, ("path", "predicted", "probabilities")))
    limits = np.array([one["threshold"] for one in thresholds["classes"].values()])
    chances = np.array([row["probabilities"].split("|") for row in answers], float)
    said = encode([row["predicted"] for row in answers], found["classes"], "x", several=True)
    assert ((chances >= limits) == said).mean() > 0.999  # they are written with six digits
    folds = [Run(Path(path)) for path in found["runs"]]
    assert any(not np.allclose(limits, _limits(fold), atol=1e-3) for fold in folds)
    judged = json.loads(succeed("evaluate", "--run", made.path, "--data", "other.csv", "--json", cwd=tmp_path))
    assert judged["images"] == 60
    assert judged["macro_f1"] > 0.25
    (answer,) = json.loads(succeed("predict", answers[0]["path"], "--run", made.path, "--format", "json", cwd=tmp_path))
    assert answer["label"] == answers[0]["predicted"]


def _limits(run: Run) -> list[float]:
    return [one["threshold"] for one in run.read_json(run.thresholds)["classes"].values()]


def test_a_sweep(tmp_path: Path) -> None:
    write_csv(tmp_path / "digits.csv", count=12)
    (tmp_path / "digits.yaml").write_text(CONFIG.replace("epochs: 4", "epochs: 2"))
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    found = json.loads(succeed("sweep", "sweep.yaml", "--output", "out", "--json", cwd=tmp_path))
    assert (found["metric"], found["complete"]) == ("val_accuracy", 2)
    assert "multi_label" in Path(found["best_config"]).read_text()
    run = Run(Path(found["best"]["run"]))
    assert run.has(run.thresholds)
    assert 0 <= run.read_metrics()["macro_f1"] <= 1

"""What the other commands do, from Python: the same text, the same JSON, and nothing printed."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import cnnctl
from cnnctl.api.guests import alone
from cnnctl.data.sources import digits_folder
from tests.cli.command import succeed
from tests.conftest import CONFIGS, Trained

DIGITS = CONFIGS / "digits.yaml"


@pytest.fixture(scope="module")
def folder(digits_run: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with two runs, the second of another learning rate and with two wrong answers more."""
    own = tmp_path_factory.mktemp("commands")
    shutil.copytree(digits_run.folder / "runs", own / "runs", symlinks=True)
    second = own / "runs" / "digits" / "2"
    shutil.copytree(digits_run.run, second)
    config = second / "config.yaml"
    config.write_text(config.read_text().replace("learning_rate: 0.001\n", "learning_rate: 0.01\n"))
    answers = second / "predictions.csv"
    answers.write_text(answers.read_text().replace(",true", ",false", 2))
    metrics = json.loads((second / "metrics.json").read_text())
    metrics["accuracy"] -= 2 / 359
    (second / "metrics.json").write_text(json.dumps(metrics, indent=2))
    return own


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(folder)
    capfd.readouterr()
    return folder


@pytest.fixture
def silent(capfd: pytest.CaptureFixture[str]) -> Any:
    """Nothing was printed so far."""
    return lambda: capfd.readouterr() == ("", "")


def same(text: str, *command: str, cwd: Path) -> bool:
    """Whether a text is what a command prints, but for its empty lines around."""
    return text == succeed(*command, cwd=cwd).strip("\n")


def test_runs_are_compared(here: Path, silent: Any) -> None:
    runs = ["runs/digits/1", "runs/digits/2"]
    found = cnnctl.compare(runs)
    assert [one.path for one in found.runs] == [here / run for run in runs]
    assert found.best == cnnctl.open_run("runs/digits/1")
    (difference,) = found.differences
    assert (difference.path, difference.values) == ("train.optimizer.adam.learning_rate", (0.001, 0.01))
    assert (found.tests[0].best_only, found.tests[0].is_significant) == (2, False)
    assert "data_hash" not in str(found.warnings)
    assert repr(found) == f"<Comparison of 2 runs: {here / 'runs/digits/1'} is the most accurate>"
    shown = found._repr_html_()
    assert shown.count("<table ") == 2
    assert '<td style="text-align: left">train.optimizer.adam.learning_rate</td>' in shown
    assert silent()
    assert same(str(found), "compare", *runs, cwd=here)
    assert json.loads(json.dumps(found.to_dict())) == json.loads(succeed("compare", *runs, "--json", cwd=here))
    assert cnnctl.compare(found.runs).to_dict()["differences"] == found.to_dict()["differences"]
    with pytest.raises(cnnctl.UsageError, match="two runs or more"):
        cnnctl.compare([None])


def test_runs_are_listed(here: Path, silent: Any) -> None:
    found = cnnctl.list_runs()
    assert sorted(one.run.path.name for one in found) == ["1", "2"]
    assert [one.status for one in found[:2]] == ["complete", "complete"]
    assert [one.run.path.name for one in found if one.is_latest] == ["1"]
    assert repr(found) == "<RunList of runs: 2 runs>"
    assert found._repr_html_().startswith("<table ")
    (best,) = cnnctl.list_runs("runs/digits", best=True)
    assert (best.run, best.epochs, best.planned_epochs, best.split) == (cnnctl.open_run(), 3, 3, "test")
    assert silent()
    assert same(str(found), "runs", cwd=here)
    assert found.to_dict() == json.loads(succeed("runs", "--json", cwd=here))
    with pytest.raises(cnnctl.RunError, match="nowhere is not there"):
        cnnctl.list_runs("nowhere")


def test_a_config_is_checked(here: Path, silent: Any) -> None:
    found = cnnctl.check(DIGITS)
    assert (found.is_ready, found.problems) == (True, ())
    assert repr(found) == f"<CheckedConfig {DIGITS}: ready to train>"
    wrong = cnnctl.check({"data": {"train": "nowhere"}, "model": ["flatten"]}, {"train.epochs": 0})
    assert {problem.path for problem in wrong.problems} == {"train.epochs", "data.train"}
    assert not wrong.is_ready
    assert str(wrong).endswith("\n\n2 problems")
    assert "data.train: there is no folder or file" in wrong._repr_html_()
    (here / "broken.yaml").write_text("data: [")
    assert cnnctl.check("broken.yaml").problems[0].position is not None
    taken = cnnctl.check(DIGITS, output="runs/digits/1")
    assert [problem.exit_code for problem in taken.problems] == [2]
    assert silent()
    assert same(str(found), "check", str(DIGITS), cwd=here)
    assert found.to_dict() == json.loads(succeed("check", str(DIGITS), "--json", cwd=here))


def test_a_config_is_written(small_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Any) -> None:
    monkeypatch.chdir(tmp_path)
    made = cnnctl.init_config(small_photos, "mine.yaml")
    assert made.path == tmp_path / "mine.yaml"
    assert repr(made) == f"<NewConfig {tmp_path / 'mine.yaml'}>"
    assert "epochs" in str(made.reasons)
    assert cnnctl.load_config(made.path).data.train == str(small_photos)
    assert '<td style="text-align: left">007</td>' in made._repr_html_()
    ready = cnnctl.init_config(example="digits")
    assert ready.path == tmp_path / "digits.yaml"
    with pytest.raises(cnnctl.UsageError, match="already exists"):
        cnnctl.init_config(example="digits")
    with pytest.raises(cnnctl.UsageError, match="either data or example"):
        cnnctl.init_config()
    with pytest.raises(cnnctl.UsageError, match="are for a CSV file"):
        cnnctl.init_config(example="digits", output="other.yaml", folder="photos")
    assert silent()
    again = succeed("init", small_photos, "--output", "again.yaml", cwd=tmp_path)
    assert again.strip("\n") == str(made).replace("mine.yaml", "again.yaml")
    assert (tmp_path / "again.yaml").read_text() == made.path.read_text()


def test_an_image_is_explained(here: Path, silent: Any) -> None:
    image = digits_folder() / "3" / "0003.png"
    found = cnnctl.explain(image, top=1, output="seen")
    assert {"grad-cam", "receptive-field", "probabilities"} <= {*found.pictures}
    assert found.page == here / "seen" / "explanation.html"
    assert found.prediction.label == cnnctl.Predictor().predict(image).label == "3"
    assert found.prediction.probability == pytest.approx(cnnctl.Predictor().predict(image).probability, abs=1e-5)
    assert repr(found) == f"<Explanation of {image}: {found.prediction.label}, in {here / 'seen'}>"
    assert '<img src="data:image/png;base64,' in found._repr_html_()
    numbers = cnnctl.explain_numbers(image, unit="conv2d:0,3,12", label="3")
    assert numbers.to_dict()["numbers"]["unit"]["place"] == [0, 3, 12]
    assert numbers._repr_html_().count("<table ") >= 4
    with pytest.raises(cnnctl.UsageError, match="there is no method cam"):
        cnnctl.explain(image, method="cam")
    with pytest.raises(cnnctl.UsageError, match="at least one class"):
        cnnctl.explain(image, top=0)
    with pytest.raises(cnnctl.UsageError, match="no layer conv"):
        cnnctl.explain(image, unit="conv:1,1", output="other")
    assert silent()
    assert same(str(found), "explain", str(image), "--top", "1", "--output", "seen", cwd=here)
    options = ("--numbers", "--unit", "conv2d:0,3,12", "--label", "3")
    assert same(str(numbers), "explain", str(image), *options, cwd=here)
    assert numbers.to_dict() == json.loads(succeed("explain", image, *options, "--json", cwd=here))


def test_a_run_is_exported_and_reported(here: Path, silent: Any) -> None:
    made = cnnctl.export("runs/digits/1", quantize="float16")
    assert made.path == here / "digits-1-float16.onnx"
    assert made.size == made.path.stat().st_size
    assert made.parity.equal_answers > 0.98
    assert made.to_dict() == json.loads((here / "digits-1-float16.onnx.json").read_text())
    assert repr(made) == f"<ExportedModel {made.path}: {made.size:,} bytes>"
    assert made._repr_html_().startswith("<table ")
    with pytest.raises(cnnctl.UsageError, match="there is no format tflite"):
        cnnctl.export(form="tflite")
    page = cnnctl.report()
    assert page.path == here / "runs/digits/1/report.html"
    assert page.path.read_text().startswith("<!doctype html>")
    assert silent()


def test_one_of_them_at_a_time(here: Path) -> None:
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            cnnctl.export(output="busy.onnx")
        except cnnctl.BusyError as error:
            errors.append(error)

    with alone("training"):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert [str(error) for error in errors] == [
        "error: this process is already training\nhint: wait for it, or use a process of its own"
    ]


def test_explaining_leaves_a_gpu_to_later_trainings(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command may hide it from its own process; a notebook's goes on."""
    import tensorflow as tf

    def refuse(*_: Any) -> None:
        raise AssertionError("hidden")

    monkeypatch.setattr(tf.config, "set_visible_devices", refuse)
    cnnctl.export(output="again.onnx")
    assert Path("again.onnx").is_file()


def test_a_run_and_an_evaluation_in_a_notebook(here: Path) -> None:
    run = cnnctl.open_run("runs/digits/1")
    shown = run._repr_html_()
    assert f"{run.accuracy:.1%}" in shown
    assert '<td style="text-align: left">best epoch</td><td style="text-align: right">' in shown
    assert str(run) == repr(run)
    judged = cnnctl.evaluate(run)
    evaluation = judged._repr_html_()
    assert evaluation.count("<table ") == 5
    assert evaluation.count("<pre ") == 1
    assert "right on " in evaluation
    assert evaluation.count('<img src="data:image/') == shown.count('<img src="data:image/') == 2
    digests = run.path / "checkpoints" / "digests.bin"
    kept = digests.rename(digests.with_suffix(".kept"))
    try:
        assert judged._repr_html_().count("<img ") == 1, "whose images they are cannot be known"
    finally:
        kept.rename(digests)
    assert repr(cnnctl.Predictor(run)) == "<Predictor of digits 1: 10 classes, images of 8x8x1>"


def test_a_run_that_is_not_complete_in_a_notebook(folder: Path, tmp_path: Path) -> None:
    part = tmp_path / "<b>" / "1"
    shutil.copytree(folder / "runs/digits/1", part)
    for name in ("metrics.json", "environment.json"):
        (part / name).unlink()
    shown = cnnctl.open_run(part)._repr_html_()
    assert "unfinished" in shown
    assert '>epochs</td><td style="text-align: right">3 of 3</td>' in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown

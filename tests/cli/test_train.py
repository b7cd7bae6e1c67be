"""`cnnctl train`, from the command line to the run directory."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command import assert_quiet, begin, cnnctl, fail, succeed
from tests.conftest import CONFIGS, Trained


def test_prints_what_it_is_about_to_do_before_it_trains(digits_run: Trained) -> None:
    lines = digits_run.stderr.splitlines()
    begin = next(index for index, line in enumerate(lines) if line.split()[:1] == ["epoch"])
    before = "\n".join(lines[:begin])
    assert "train: 1,169 images of 10 classes (0 115," in before
    assert "test: 359 images of 10 classes" in before
    assert "device: " in before
    assert "precision: " in before
    assert "151,306 parameters" in before
    # on a slow machine, an epoch under way is reported by lines that begin with "epoch 1/3", too
    rows = [words[0] for line in lines[begin + 1 :] if (words := line.split()) and words[0] != "epoch"]
    assert rows[:3] == ["1/3", "2/3", "3/3"]


def test_stdout_ends_with_the_run_and_the_next_command(digits_run: Trained) -> None:
    assert digits_run.stdout.splitlines()[-2:] == ["run   runs/digits/1", "next  cnnctl predict IMAGE"]
    assert "test accuracy" in digits_run.stdout


def test_nothing_of_tensorflow_on_the_screen_but_in_the_log(digits_run: Trained) -> None:
    assert "tensorflow/" not in digits_run.stderr.lower()
    assert "warning" not in digits_run.stderr.lower()
    assert (digits_run.run / "log.txt").is_file()
    assert (digits_run.folder / "runs" / "latest").resolve() == digits_run.run


def test_json_is_the_metrics_and_the_run(small_photos: Path, tmp_path: Path) -> None:
    config = tmp_path / "shapes.yaml"
    config.write_text(
        f"data: {{train: {small_photos}, validation: 0.25, image: {{size: 24}}}}\n"
        "model: [{conv2d: {filters: 4, kernel_size: 3, activation: relu}}, flatten]\n"
        "train: {epochs: 2, class_weight: {no: 2}}\n"
    )
    out = tmp_path / "my run"
    printed = json.loads(succeed("train", config, "--output", out, "--json", cwd=tmp_path))
    assert printed["run"] == str(out)
    assert printed["metrics"] == json.loads((out / "metrics.json").read_text())
    assert printed["metrics"]["split"] == "validation"
    assert printed["metrics"]["classes"] == ["007", "1e3", "no"] == json.loads((out / "classes.json").read_text())
    with (out / "split.csv").open() as file:
        assert {row["label"] for row in csv.DictReader(file)} == {"007", "1e3", "no"}
    assert (tmp_path / "runs" / "latest").resolve() == out.resolve()
    again = fail(2, "train", config, "--output", out, cwd=tmp_path)
    assert "is not empty" in again
    assert json.loads(succeed("evaluate", "--json", cwd=tmp_path)) == printed["metrics"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing.yaml"], 2, "there is no config at nothing.yaml"),
        ([CONFIGS / "digits.yaml", "--set", "train.epoch=3"], 2, "did you mean epochs?"),
        ([CONFIGS / "digits.yaml", "--set", "train.device=gpu"], 5, "device: gpu, but TensorFlow"),
        ([CONFIGS / "cifar10.yaml"], 3, "there is no folder or file"),
        ([CONFIGS / "digits.yaml", "--set", "data.image.size=1"], 2, "the output would be empty"),
        ([CONFIGS / "digits.yaml", "--output", CONFIGS], 2, "is not empty"),
        ([CONFIGS / "digits.yaml", "--set", "train.initial_weights=gone"], 2, "there is no run at"),
        ([CONFIGS / "digits.yaml", "--set", "train.initial_weights=gone.keras"], 2, "there is no file"),
    ],
)
def test_mistakes_end_with_their_exit_code_and_leave_nothing(
    arguments: list[str | Path], code: int, said: str, tmp_path: Path
) -> None:
    assert said in fail(code, "train", *arguments, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_initial_weights_are_said_and_used(digits_run: Trained, tmp_path: Path) -> None:
    """One step of a learning rate that moves nothing: what was learnt is what is evaluated."""
    still = ["train.epochs=1", "train.batch_size=2000", "train.optimizer={sgd: {learning_rate: 1.0e-12}}"]
    settings = [part for text in still for part in ("--set", text)]
    start = ["--set", f"train.initial_weights={digits_run.run}"]
    done = cnnctl("train", CONFIGS / "digits.yaml", *settings, *start, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_quiet(done)
    said = f"initial weights: conv2d, conv2d_1, dense, probabilities from {digits_run.run / 'model.keras'}"
    assert said in done.stderr.splitlines()
    expected = json.loads((digits_run.run / "metrics.json").read_text())
    assert json.loads(done.stdout)["metrics"]["accuracy"] == pytest.approx(expected["accuracy"], abs=0.01)


def test_initial_weights_of_another_network_leave_nothing_behind(digits_run: Trained, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "data: {train: digits, image: {size: 8, channels: 1}}\nmodel: [flatten, dense: {units: 5}]\n"
        f"train: {{initial_weights: {digits_run.run}}}\n"
    )
    said = fail(4, "train", config, cwd=tmp_path)
    assert f"{digits_run.run / 'model.keras'} has 4 layers with weights, and this network has 2" in said
    assert not (tmp_path / "runs").exists()


def test_data_errors_name_the_image_and_the_reason(small_photos: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("cat", "dog"):
        (photos / name).mkdir(parents=True)
        for image in sorted((small_photos / "no").iterdir())[:4]:
            (photos / name / image.name).write_bytes(image.read_bytes())
    (photos / "cat" / "text.jpg").write_text("hello")
    (photos / "cat" / "empty.png").touch()
    (photos / "dog" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    (photos / "dog" / ".DS_Store").touch()
    config = tmp_path / "c.yaml"
    config.write_text("data: {train: photos, image: {size: 8}}\nmodel: [flatten]\ntrain: {epochs: 1}\n")
    said = fail(3, "train", config, cwd=tmp_path)
    assert f"{photos / 'cat' / 'text.jpg'}: it is a text file" in said
    assert f"{photos / 'cat' / 'empty.png'}: the file is empty" in said
    assert "the HEIC image is damaged: its header has no valid size" in said
    assert "left out: 1 hidden or system file" in said
    assert not (tmp_path / "runs").exists()
    skipping = ["--set", "data.on_bad_image=skip", "--set", "data.max_bad_images=0.5"]
    done = cnnctl("train", config, *skipping, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_quiet(done)
    assert "3 images cannot be decoded and are skipped" in done.stderr
    assert len((tmp_path / "runs" / "c" / "1" / "split.csv").read_text().splitlines()) == 1 + 8


def test_the_current_folder_may_go_while_a_run_elsewhere_is_trained(tmp_path: Path) -> None:
    here, run = tmp_path / "here", tmp_path / "run"
    here.mkdir()
    words = ["train", str(CONFIGS / "digits.yaml"), "--output", str(run), "--set", "train.epochs=1"]
    process, _ = begin([*words, "--set", "train.loggers=[mlflow]"], here, "training 1,169 images")
    shutil.rmtree(here)
    out, said = process.communicate(timeout=900)
    assert process.returncode == 0, said
    assert "Traceback" not in out + said
    assert "warning: runs/latest cannot be written: No such file or directory" in said
    assert f"run   {run}\n" in out
    assert (run / "model.onnx").exists()
    assert json.loads((run / "metrics.json").read_text())["split"] == "test"


def test_a_current_folder_that_goes_with_the_run_in_it_is_an_error_that_says_so(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    words = ["train", str(CONFIGS / "digits.yaml"), "--output", "run", "--set", "train.epochs=3"]
    process, _ = begin(words, here, "training 1,169 images")
    while here.exists():
        shutil.rmtree(here, ignore_errors=True)  # files come meanwhile
    _, said = process.communicate(timeout=900)
    assert process.returncode == 5, said
    assert "Traceback" not in said
    assert "cannot be written: No such file or directory\n" in said
    assert "a folder of its path was removed: choose another --output" in said
    assert "the current folder was deleted" in said
    assert "resume" not in said

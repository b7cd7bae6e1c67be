"""`cnnctl explain`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnctl.data.sources import digits_folder
from tests.cli.command import cnnctl, fail, succeed
from tests.cli.test_convolve import on_a_terminal
from tests.conftest import Trained


def test_a_digit(digits_run: Trained) -> None:
    folder = digits_run.folder
    image = digits_folder() / "3" / "0003.png"
    answer = succeed("predict", image, cwd=folder).splitlines()[0]
    lines = succeed("explain", image, cwd=folder, fresh=True).splitlines()
    assert lines[0] == answer
    assert lines[-1] == "open  3-0003-explained/explanation.html"
    made = sorted(os.listdir(folder / "3-0003-explained"))
    maps = [name for name in made if name.startswith("maps-")]
    expected = {"explanation.html", "grad-cam.png", "kernels.png", "probabilities.png", "receptive-field.png", *maps}
    assert set(made) == expected
    assert maps
    assert [line.split()[0].removeprefix("3-0003-explained/") for line in lines[2:-2]] == [
        *("probabilities.png", "grad-cam.png", "receptive-field.png", "kernels.png"),
        *maps,
    ]
    for name in expected - {"explanation.html"}:
        with Image.open(folder / "3-0003-explained" / name) as picture:
            assert picture.width > 500
    html = (folder / "3-0003-explained" / "explanation.html").read_text()
    assert html.count("<img ") == len(expected) - 1
    assert f"What digits 1 sees in {image.name}" in html

    words = ["explain", image, "--method", "hires-cam", "--top", "2", "--unit", "conv2d:1,6", "--json"]
    value = json.loads(succeed(*words, "--output", "3-0003-explained", cwd=folder))
    assert not (folder / "3-0003-explained" / "grad-cam.png").exists()
    assert {Path(one).name for one in value["pictures"]} == (expected - {"explanation.html", "grad-cam.png"}) | {
        "hires-cam.png"
    }
    assert value["receptive_field"] == {"layer": "conv2d", "row": 1, "column": 6, "rows": [0, 3], "columns": [5, 8]}
    assert sum(one["probability"] for one in value["probabilities"]) > 0.999


def test_what_an_interruption_left_is_taken_up_but_no_file_of_the_users(digits_run: Trained, tmp_path: Path) -> None:
    image = digits_folder() / "3" / "0003.png"
    words = ["explain", image, "--run", digits_run.run, "--output", "here"]
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "maps-07-conv2d_9.png").write_bytes(b"left")
    succeed(*words, cwd=tmp_path)
    assert not (tmp_path / "here" / "maps-07-conv2d_9.png").exists()
    (tmp_path / "here" / "maps-of-mine.png").write_bytes(b"mine")
    assert "here is not empty and has no explanation in it" in fail(2, *words, cwd=tmp_path)
    assert (tmp_path / "here" / "maps-of-mine.png").read_bytes() == b"mine"


def test_mistakes_are_found_before_keras_is_loaded(digits_run: Trained, tmp_path: Path) -> None:
    image = digits_folder() / "3" / "0003.png"
    run = ["--run", digits_run.run]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG")
    for words, code, said in (
        (["gone.png", *run], 3, "error: gone.png: there is no such file"),
        (["bad.png", *run], 3, "error: bad.png: it is not an image"),
        ([image], 4, "there is no run yet"),
        ([image, *run, "--method", "lime"], 2, "there is no method lime"),
        ([image, *run, "--output", "full"], 2, "full is not empty and has no explanation in it"),
        ([image, *run, "--output", "bad.png"], 2, "bad.png is a file, not a folder"),
        ([image, *run, "--output", "x" * 300], 5, "File name too long"),
        ([image, *run, "--unit", "conv2d:" + "9" * 5000 + ",0"], 2, "a unit is written LAYER:ROW,COLUMN"),
        ([image, *run, "--unit", "conv2d"], 2, "a unit is written LAYER:ROW,COLUMN"),
        ([image, *run, "--unit", "dense:0,0"], 2, "no layer dense has rows and columns"),
        ([image, *run, "--unit", "conv2d:8,0,0"], 2, "columns 0 to 7 and channels 0 to 31"),
        ([image, *run, "--unit", "dropout:1", "--numbers"], 2, "no layer dropout weighs, pools or activates values"),
        ([image, *run, "--label", "3"], 2, "--label needs --numbers"),
        ([image, *run, "--numbers", "--label", "three"], 2, "the run has no class three"),
        ([image, *run, "--unit", "conv2d:8,0"], 2, "conv2d:8,0 is out of range: conv2d has rows 0 to 7"),
    ):
        assert said in fail(code, "explain", *words, cwd=tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["bad.png", "full"]


def test_the_numbers_of_a_digit(digits_run: Trained, tmp_path: Path) -> None:
    image = digits_folder() / "3" / "0003.png"
    words = ["explain", image, "--run", digits_run.run, "--numbers"]
    told = json.loads(succeed(*words, "--unit", "conv2d:0,3,5", "--json", cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []
    answers = json.loads(succeed("predict", image, "--run", digits_run.run, "--format", "json", cwd=tmp_path))
    assert told["probabilities"][0]["label"] == answers[0]["label"]
    assert told["probabilities"][0]["probability"] == pytest.approx(answers[0]["probability"], abs=1e-5)

    found = told["numbers"]
    assert found["flattened"] == {"layer": "flatten", "values": 1024}
    unit, pixels = found["unit"], np.pad(np.asarray(Image.open(image)), 1)
    assert (unit["layer"], unit["place"], unit["input"]) == ("conv2d", [0, 3, 5], None)
    assert (unit["rows"], unit["columns"], unit["channels"]) == ([-1, 0, 1], [2, 3, 4], [0])
    assert np.array_equal(np.array(unit["pixels"])[:, :, 0], pixels[0:3, 3:6])
    assert np.array(unit["patch"]) == pytest.approx(np.array(unit["pixels"]) / 255)
    total = float((np.array(unit["patch"]) * np.array(unit["weights"])).sum()) + unit["bias"]
    assert (unit["sum"], unit["value"]) == pytest.approx((total, max(total, 0)))

    output = found["output"]
    exponentials = np.exp(np.array(output["logits"]) - output["shift"])
    assert output["exponentials"] == pytest.approx(exponentials)
    assert output["probabilities"] == pytest.approx(exponentials / exponentials.sum())
    step = found["gradient_descent"]
    assert (step["true_class"], step["true_class_from"], step["y"]) == ("3", "folder", 1)
    assert step["gradient"] == pytest.approx((step["p"] - 1) * step["x"], rel=1e-6)
    assert step["difference"] == pytest.approx(step["gradient"], rel=1e-6)
    assert step["learning_rate"] == 0.001
    assert step["new_loss"] < step["loss"]

    printed = succeed(*words, "--label", "9", cwd=tmp_path)
    assert "flatten: 4 * 4 * 64 = 1,024 values in a vector\n" in printed
    assert "the true class is 9, as --label says\n" in printed
    assert "equal digits\n" in printed
    lines = on_a_terminal([str(word) for word in words], tmp_path)
    assert max(map(len, lines)) <= 80


def test_the_numbers_need_no_keras(digits_run: Trained, tmp_path: Path) -> None:
    program = (
        "import json, sys\nfrom cnnctl.cli.app import run\nsys.argv[0] = 'cnnctl'\n"
        "code = run()\nprint(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    image = str(digits_folder() / "3" / "0003.png")
    command = [sys.executable, "-c", program, "explain", image, "--run", str(digits_run.run), "--numbers"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    assert {name.partition(".")[0] for name in modules} & {"keras", "tensorflow", "jax", "torch", "matplotlib"} == set()


def test_a_run_may_stand_beside_the_image(digits_run: Trained, tmp_path: Path) -> None:
    image, run = digits_folder() / "3" / "0003.png", digits_run.run
    words = ["--numbers", "--json"]
    expected = succeed("explain", image, "--run", run, *words, cwd=tmp_path)
    for named in ([run, image], [image, run], [run, image, "--run", run], [run.parent, image]):
        assert succeed("explain", *named, *words, cwd=tmp_path) == expected
    for named in (["best", image], [image], [image, "--run", "best"], ["runs/digits/best", image]):
        done = cnnctl("explain", *named, *words, cwd=digits_run.folder)
        assert json.loads(done.stdout) == json.loads(expected)
        assert re.match("run: .*runs/digits/1 ", done.stderr)
    assert "two runs are named" in fail(2, "explain", run, image, "--run", "best", *words, cwd=tmp_path)
    assert "expected one image" in fail(2, "explain", image, image, *words, cwd=tmp_path)
    assert "the image is missing" in fail(2, "explain", run, "--run", run, *words, cwd=tmp_path)
    assert "expected the image to explain" in fail(2, "explain", *words, cwd=tmp_path)
    said = fail(4, "explain", "gone", image, *words, cwd=tmp_path)
    hint = "`cnnctl runs` lists those there are; `cnnctl train CONFIG` makes one"
    assert said == f"error: there is no run at gone\nhint: {hint}\n"


def test_numbers_and_pictures_at_once(digits_run: Trained, tmp_path: Path) -> None:
    image = digits_folder() / "3" / "0003.png"
    words = ["explain", image, "--run", digits_run.run, "--numbers", "--output", "both", "--unit", "conv2d:1,6,2"]
    told = json.loads(succeed(*words, "--json", cwd=tmp_path))
    assert (tmp_path / "both" / "explanation.html").is_file()
    assert told["receptive_field"]["rows"] == [0, 3]
    assert told["numbers"]["unit"]["place"] == [1, 6, 2]

"""`cnnctl export`."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cnnctl.data.sources import digits_folder
from tests.cli.command import begin, fail, succeed
from tests.conftest import CONFIGS, Trained

PAGE = (CONFIGS.parent / "docs" / "exporting.md").read_text(encoding="utf-8")


def test_files_that_the_programs_of_the_page_use(digits_run: Trained) -> None:
    folder = digits_run.folder
    image = digits_folder() / "3" / "0003.png"
    (answer,) = json.loads(succeed("predict", image, "--format", "json", cwd=folder))
    probability = {one["label"]: one["probability"] for one in answer["top"]}
    files = {"onnx": "digits-1.onnx", "litert": "digits-1.tflite", "openvino": "digits-1-openvino"}
    for (form, file), snippet in zip(files.items(), snippets(), strict=True):
        words = ["export", "--format", form, "--quantize", "int8", "--output", file]
        made = succeed(*words, cwd=folder, fresh=form == "litert")
        assert_shown(made.splitlines(), json.loads((folder / f"{file}.json").read_text()))
        assert f"{file} already exists; export overwrites nothing" in fail(2, *words, cwd=folder)
        program = snippet.replace("cat.jpg", str(image)).replace("photos-1", "digits-1")
        assert program.count(file) == 2
        done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed = {
            name: float(value) for name, value in re.findall(r"'(\w+)': (?:np.float32\()?([-+.\de]+)", done.stdout)
        }
        assert len(printed) == 10
        assert max(printed, key=lambda name: printed[name]) == answer["label"]
        for name, value in probability.items():
            assert printed[name] == pytest.approx(value, abs=0.1)


def assert_shown(lines: list[str], said: dict[str, Any]) -> None:
    """The table has what the JSON beside the file has."""
    assert lines[0].split() == ["parity,", "validation", "images"]
    shown = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in lines[2:9])
    assert shown["compared with"] == "model.onnx"
    assert shown["images"] == str(said["parity"]["images"])
    assert shown["equal answers"] == f"{said['parity']['equal_answers']:.2%}"
    assert shown["change"] == f"{100 * said['parity']['accuracy_change']:+.2f} points"
    assert lines[-2].startswith(f"written: {said['file']}, ")


def test_the_latest_run_for_programs(digits_run: Trained) -> None:
    said = json.loads(succeed("export", "--quantize", "float16", "--json", cwd=digits_run.folder))
    assert said["file"] == "digits-1-float16.onnx"
    assert said == json.loads((digits_run.folder / "digits-1-float16.onnx.json").read_text())


def snippets() -> list[str]:
    """The programs of docs/exporting.md that use what was exported: a whole one, and other endings of it."""
    whole, *endings = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert whole.count("\n") <= 10
    begins = whole[: whole.index("session = ")].replace(", onnxruntime", "")
    names = (".tflite", "-openvino")
    return [whole, *(begins.replace(".onnx", name) + ending for name, ending in zip(names, endings, strict=True))]


def test_mistakes_are_found_before_anything_is_loaded(digits_run: Trained, tmp_path: Path) -> None:
    run = digits_run.run
    (tmp_path / "mine.onnx.json").write_text("mine")
    for words, code, said in (
        ([run, "--format", "tflite"], 2, "there is no format tflite"),
        ([run, "--format", "savedmodel", "--quantize", "int8"], 2, "SavedModel has no int8 quantization"),
        ([run, "--max-accuracy-drop", "3"], 2, "--max-accuracy-drop belongs to --quantize int8"),
        ([run, "--output", "mine.onnx"], 2, "mine.onnx.json already exists"),
        ([run, "--output", "it.tflite"], 2, "ONNX files end in .onnx; received: --output it.tflite"),
        (["gone"], 4, "there is no run at gone"),
        ([], 4, "there is no run yet"),
    ):
        assert said in fail(code, "export", *words, cwd=tmp_path)
    assert os.listdir(tmp_path) == ["mine.onnx.json"]


def test_a_missing_extra_is_named(digits_run: Trained, tmp_path: Path) -> None:
    program = "import sys; sys.modules['ai_edge_litert'] = None; from cnnctl.__main__ import main; main()"
    command = [sys.executable, "-c", program, "export", str(digits_run.run), "--format", "litert"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert "hint: install it with: pip install '.[litert]' from a checkout of cnnctl\n" in done.stderr
    assert os.listdir(tmp_path) == []


def test_killed_it_leaves_at_most_a_hidden_folder(digits_run: Trained, tmp_path: Path) -> None:
    words = ["export", str(digits_run.run), "--quantize", "int8"]
    process, _ = begin(words, tmp_path, "writing ONNX")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert all(name.startswith(".") and name.endswith(".part") for name in os.listdir(tmp_path))
    succeed(*words, cwd=tmp_path)
    assert (tmp_path / "digits-1-int8.onnx").is_file()

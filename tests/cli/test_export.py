"""`cnnctl export`."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl.data.builtin import digits_folder
from tests.cli.command import assert_quiet, begin, fail, succeed
from tests.conftest import CONFIGS, Trained

README = (CONFIGS.parent / "README.md").read_text(encoding="utf-8")


def test_an_int8_file_for_a_phone(digits_run: Trained, tmp_path: Path) -> None:
    words = ["export", digits_run.run, "--format", "litert", "--quantize", "int8"]
    lines = succeed(*words, cwd=tmp_path).splitlines()
    assert sorted(os.listdir(tmp_path)) == ["digits-1-int8.tflite", "digits-1-int8.tflite.json"]
    assert lines[0].split() == ["parity,", "validation", "images"]
    said = json.loads((tmp_path / "digits-1-int8.tflite.json").read_text())
    shown = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in lines[2:9])
    assert shown["compared with"] == "model.onnx"
    assert shown["images"] == str(said["parity"]["images"])
    assert shown["equal answers"] == f"{said['parity']['equal_answers']:.2%}"
    assert shown["change"] == f"{100 * said['parity']['accuracy_change']:+.2f} points"
    assert lines[-2].startswith("written: digits-1-int8.tflite, ")
    assert "digits-1-int8.tflite exists already, and export writes over nothing" in fail(2, *words, cwd=tmp_path)


def test_the_latest_run_as_the_readme_uses_it(digits_run: Trained) -> None:
    folder = digits_run.folder
    image = digits_folder() / "3" / "0003.png"
    (answer,) = json.loads(succeed("predict", image, "--format", "json", cwd=folder))
    probability = {one["label"]: one["probability"] for one in answer["top"]}
    for name, snippet in zip(("onnx", "litert"), snippets(), strict=True):
        said = json.loads(succeed("export", "--format", name, "--json", cwd=folder))
        assert said == json.loads((folder / f"{said['file']}.json").read_text())
        program = snippet.replace("cat.jpg", str(image)).replace("photos-1", "digits-1")
        assert program.count(said["file"]) == 2
        done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed = {
            key: float(value) for key, value in re.findall(r"'(\w+)': (?:np.float32\()?([-+.\de]+)", done.stdout)
        }
        assert len(printed) == 10
        assert printed == {**printed, **{key: pytest.approx(value, abs=1e-4) for key, value in probability.items()}}


def snippets() -> list[str]:
    """README's programs that use what was exported: a whole one, and another ending of it."""
    part = README.partition("### `cnnctl export")[2].partition("\n### ")[0]
    whole, ending = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
    assert whole.count("\n") <= 10
    begins = whole[: whole.index("session = ")].replace("import onnxruntime\n", "").replace(".onnx", ".tflite")
    return [whole, begins + ending]


def test_mistakes_are_found_before_anything_is_loaded(digits_run: Trained, tmp_path: Path) -> None:
    run = digits_run.run
    (tmp_path / "mine.onnx.json").write_text("mine")
    for words, code, said in (
        ([run, "--format", "tflite"], 2, "there is no format tflite"),
        ([run, "--format", "savedmodel", "--quantize", "int8"], 2, "SavedModel has no int8 quantization"),
        ([run, "--max-accuracy-drop", "3"], 2, "--max-accuracy-drop belongs to --quantize int8"),
        ([run, "--output", "mine.onnx"], 2, "mine.onnx.json exists already"),
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
    assert 'hint: install it with: pip install "cnnctl[litert]"' in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("form", ["onnx", "litert", "savedmodel"])
def test_a_full_disk(form: str, digits_run: Trained, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cnnctl", "export", str(digits_run.run), "--format", form],
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, (done.returncode, done.stderr)
    assert "cannot be written: " in done.stderr
    assert "free some space" in done.stderr
    assert_quiet(done)
    assert os.listdir(tmp_path) == []


def test_killed_it_leaves_at_most_a_hidden_folder(digits_run: Trained, tmp_path: Path) -> None:
    process, _ = begin(["export", str(digits_run.run), "--format", "savedmodel"], tmp_path, "writing SavedModel")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert all(name.startswith(".") and name.endswith(".part") for name in os.listdir(tmp_path))
    succeed("export", digits_run.run, "--format", "savedmodel", cwd=tmp_path)
    assert (tmp_path / "digits-1-savedmodel" / "saved_model.pb").is_file()

"""What `import cnnctl` gives, what it costs, and what a type checker makes of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cnnctl
from tests.conftest import CONFIGS

HEAVY = ("numpy", "cv2", "pandas", "keras", "tensorflow", "jax", "onnxruntime", "sklearn", "matplotlib", "pydantic")

SCRIPT = """\
from pathlib import Path

import cnnctl

config = cnnctl.load_config({"data": {"train": "photos"}}, {"train.epochs": 3})
summary = cnnctl.summarize("photos.yaml", classes=3)
run = cnnctl.train(config, output=Path("out"), resume=True, progress=True)
evaluation = cnnctl.evaluate(run, "new")
predictor = cnnctl.Predictor("runs/photos/1", threads=1)
reveal_type(config.train.epochs)
reveal_type(summary.layers[0].params)
reveal_type(run.history)
reveal_type(evaluation.metrics.per_class[0].recall)
reveal_type(predictor.predict("cat.jpg"))
reveal_type(predictor.predict([b"", "cat.jpg"]))
try:
    cnnctl.open_run()
except cnnctl.ConfigError as error:
    reveal_type(error.problems)
cnnctl.tarin(config)
cnnctl.train(config, epochs=3)
"""

REVEALED = (
    *("int", "int", "list[dict[str, float]]", "float"),
    *("cnnctl.inference.answers.Prediction", "list[cnnctl.inference.answers.Prediction]"),
    "tuple[cnnctl.errors.Problem, ...]",
)


def imported(statements: str) -> set[str]:
    """The modules of a new process after these statements."""
    program = f"{statements}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_it_brings_nothing() -> None:
    found = imported("import cnnctl; assert {*cnnctl.__all__} <= {*dir(cnnctl)}")
    assert found.isdisjoint(HEAVY)
    assert {name for name in found if name.startswith("cnnctl")} == {"cnnctl"}


def test_a_summary_brings_neither_numpy_nor_keras() -> None:
    config = CONFIGS / "lenet5.yaml"
    found = imported(f"import cnnctl; print(cnnctl.load_config({str(config)!r}), cnnctl.summarize({str(config)!r}))")
    assert found.isdisjoint({*HEAVY} - {"pydantic"})


def test_naming_everything_brings_none_of_the_slow_ones() -> None:
    found = imported("from cnnctl import *; from cnnctl import Predictor, evaluate, train")
    assert "cnnctl.api.training" in found
    assert found.isdisjoint({*HEAVY} - {"pydantic", "numpy"})


def test_every_name_is_there_and_no_other() -> None:
    for name in cnnctl.__all__:
        assert getattr(cnnctl, name) is not None
    with pytest.raises(AttributeError, match="module 'cnnctl' has no attribute 'tarin'"):
        _ = cnnctl.tarin
    with pytest.raises(ImportError, match="cannot import name 'tarin'"):
        from cnnctl import tarin  # noqa: F401


def test_a_type_checker_knows_every_type_and_every_mistake(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    root = CONFIGS.parent
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "pyproject.toml", str(tmp_path / "script.py")]
    environment = {**os.environ, "MYPYPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    revealed = [line.split('"')[1] for line in done.stdout.splitlines() if "Revealed type" in line]
    assert [text.replace("builtins.", "") for text in revealed] == list(REVEALED), done.stdout + done.stderr
    own = [line for line in done.stdout.splitlines() if "script.py:" in line]  # old packages have other annotations
    errors = [line.partition("error: ")[2] for line in own if "error: " in line]
    assert [error.partition("  [")[0] for error in errors] == [
        'Module has no attribute "tarin"; maybe "train"?',
        'Unexpected keyword argument "epochs" for "train"',
    ]


def test_a_script_is_quiet_and_needs_no_guard(digits_run: object, tmp_path: Path) -> None:
    """A script without `if __name__ == "__main__"`, as a notebook is one."""
    script = tmp_path / "script.py"
    script.write_text(
        "import json, sys, cnnctl\n"
        "try:\n    cnnctl.train(sys.argv[1], {'data.train': 'nowhere'})\n"
        "except cnnctl.CnnctlError as error:\n    print(json.dumps([error.exit_code, str(error)]))\n"
    )
    command = [sys.executable, str(script), str(CONFIGS / "digits.yaml")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    code, text = json.loads(done.stdout)
    assert (code, "overrides:1:1: data.train: there is no folder or file" in text) == (3, True)

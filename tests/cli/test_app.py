"""The command as a whole: help, version, completion, what gets imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl import __version__
from cnnctl.cli.app import COMMANDS
from cnnctl.data.sources import digits_folder
from tests.cli.command import cnnctl, succeed
from tests.conftest import CONFIGS, Trained

HEAVY = ("keras", "tensorflow", "torch", "jax", "sklearn", "scipy", "pandas", "matplotlib", "onnx", "tf2onnx")


def test_version_and_help(tmp_path: Path) -> None:
    assert succeed("--version", cwd=tmp_path) == f"cnnctl {__version__}\n"
    for printed in (succeed("--help", cwd=tmp_path), cnnctl(cwd=tmp_path).stdout):
        for command in COMMANDS:
            assert command in printed


@pytest.mark.parametrize("command", COMMANDS)
def test_each_help_has_an_example_of_its_command(command: str, tmp_path: Path) -> None:
    assert f"Example: cnnctl {command}" in succeed(command, "--help", cwd=tmp_path)


def test_shell_completion_is_to_be_had(tmp_path: Path) -> None:
    assert "_CNNCTL_COMPLETE" in cnnctl("--show-completion", "bash", cwd=tmp_path).stdout.upper() or (
        "--install-completion" in succeed("--help", cwd=tmp_path)
    )


def test_an_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    assert cnnctl("train", "--wrong", cwd=tmp_path).returncode == 2
    assert cnnctl("wrong", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "also_banned"),
    [
        (["--help"], ("numpy", "cv2", "onnxruntime", "pydantic", "yaml")),  # newer Typers convert arguments by pydantic
        (["summary", str(CONFIGS / "cifar10.yaml")], ("numpy", "cv2", "onnxruntime")),
        (["summary", "runs/digits/1"], ("numpy", "cv2", "onnxruntime")),
        (["summary", "runs/digits/1/model.keras"], ("numpy", "cv2", "onnxruntime")),
        (["schedule", str(CONFIGS / "cifar10-strong.yaml"), "--images", "1000"], ("cv2", "onnxruntime")),
        (["schema"], ("numpy", "cv2", "onnxruntime")),
        (["schema", "--markdown"], ("numpy", "cv2", "onnxruntime")),
        (["cache"], ("cv2", "onnxruntime", "yaml")),
        (["predict", "one.png"], ("yaml",)),
        (["convolve", "one.png", "--numbers", "--size", "6"], ("onnxruntime", "yaml")),
        (["runs"], ("cv2", "onnxruntime")),
    ],
    ids=lambda value: " ".join(value[:1]),
)
def test_instant_commands_import_nothing_heavy(
    arguments: list[str], also_banned: tuple[str, ...], digits_run: Trained
) -> None:
    one = digits_run.folder / "one.png"
    one.write_bytes((digits_folder() / "3" / "0003.png").read_bytes())
    program = (
        "import json, sys\nfrom cnnctl.cli.app import run\nsys.argv[0] = 'cnnctl'\n"
        "code = run()\nprint(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=digits_run.folder, capture_output=True, text=True, check=True
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    assert "typer" in modules
    assert sorted({name.partition(".")[0] for name in modules} & {*HEAVY, *also_banned}) == []
    asked = set(COMMANDS) if arguments == ["--help"] else {arguments[0]}
    assert {name for name in COMMANDS if f"cnnctl.cli.{name}" in modules} == asked

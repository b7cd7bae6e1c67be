"""The command as a whole: help, version, completion, what gets imported."""

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer

from cnnctl import __version__
from cnnctl.cli.app import COMMANDS, guarded
from cnnctl.data.sources import digits_folder
from cnnctl.ready import how_to_write
from tests.cli.command import cnnctl, fail, succeed
from tests.conftest import CONFIGS, Trained

HEAVY = ("keras", "tensorflow", "torch", "jax", "sklearn", "scipy", "pandas", "matplotlib", "onnx")


def test_version_and_help(tmp_path: Path) -> None:
    assert succeed("--version", cwd=tmp_path) == f"cnnctl {__version__}\n"
    for printed in (succeed("--help", cwd=tmp_path), cnnctl(cwd=tmp_path).stdout):
        for command in COMMANDS:
            assert command in printed


@pytest.mark.parametrize("command", COMMANDS)
def test_each_help_has_an_example_of_its_command(command: str, tmp_path: Path) -> None:
    epilog = import_module(f"cnnctl.cli.{command.replace('-', '_')}").EPILOG
    assert re.search(rf"(Example|Then): cnnctl {command}", succeed(command, "--help", cwd=tmp_path, fresh=True))
    for file in re.findall(r"[\w-]+\.yaml", epilog):
        writes = how_to_write(file)
        assert writes is None or epilog.startswith(f"Example: {writes}\n"), "the file is not there after pip install"


def test_shell_completion_is_to_be_had(tmp_path: Path) -> None:
    assert "_CNNCTL_COMPLETE" in cnnctl("--show-completion", "bash", cwd=tmp_path).stdout.upper() or (
        "--install-completion" in succeed("--help", cwd=tmp_path)
    )


def test_an_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    assert cnnctl("train", "--wrong", cwd=tmp_path).returncode == 2
    assert cnnctl("wrong", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(("option", "key"), [("--epochs", "train.epochs"), ("--batch-size", "train.batch_size")])
def test_a_key_of_the_config_that_was_taken_for_an_option(
    option: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = cnnctl("train", "digits.yaml", option, "3", cwd=tmp_path)
    assert done.returncode == 2
    assert f"--set {key}=3" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["train", "gone.yaml", "--json"],
        ["check", "gone.yaml", "--json"],
        ["summary", "gone.yaml", "--json"],
        ["preview", "gone.yaml", "--json"],
        ["schedule", "gone.yaml", "--json"],
        ["eject", "gone.yaml", "--json"],
        ["evaluate", "--run", "gone", "--json"],
        ["export", "gone", "--json"],
        ["report", "gone", "--json"],
        ["explain", "gone.png", "--run", "gone", "--json"],
        ["compare", "gone", "lost", "--json"],
        ["runs", "gone", "--json"],
        ["convolve", "gone.png", "--json"],
        ["predict", "gone.png", "--run", "gone", "--format", "json"],
        ["predict", "gone.png", "--run", "gone", "--format", "jsonl"],
    ],
    ids=lambda words: words[0],
)
def test_a_failure_is_json_where_json_is_asked_for(command: list[str], tmp_path: Path) -> None:
    done = cnnctl(*command, cwd=tmp_path)
    error = json.loads(done.stdout)["error"]
    assert set(error) >= {"message", "hint", "path", "line", "column", "exit_code"}
    assert error["exit_code"] == done.returncode > 0
    assert error["message"] in done.stderr


@pytest.mark.parametrize(
    ("command", "message", "hint"),
    [
        (
            ["train", "c.yaml", "--json", "--epochs", "3"],
            "No such option: --epochs",
            "did you mean --set train.epochs=3?",
        ),
        (["train", "c.yaml", "--json", "--epoch=3"], "No such option: --epoch", "did you mean --set train.epochs=3?"),
        (["train", "--json", "--device", "cpu"], "No such option: --device", "did you mean --set train.device=cpu?"),
        (["train", "--json", "--devcies=2"], "No such option: --devcies", "did you mean --devices"),
        (["train", "--json", "-epochs", "3"], "No such option: -e", "did you mean --set train.epochs=3?"),
        (["train", "--json", "--lr", "-1"], "No such option: --lr", "--set train.optimizer.adam.learning_rate=-1"),
        (["check", "--name=a b", "--json"], "No such option: --name", "did you mean --set 'name=a b'?"),
        (["summary", "--json", "--seed", "--expand"], "No such option: --seed", "did you mean --set seed=VALUE?"),
        (["train", "--json", "--zzz=3"], "No such option: --zzz", "`cnnctl train --help` describes it"),
        (["train", "--jsno", "--json"], "No such option: --jsno", "did you mean --json"),
        (["check", "--json"], "Missing argument 'CONFIG...'", "`cnnctl check --help` describes it"),
        (["predict", "--format", "json"], "Missing argument 'PATH'", "cnnctl predict --help"),
        (["predict", "--format=jsonl"], "Missing argument 'PATH'", "cnnctl predict --help"),
        (["predict", "x.png", "--top", "many", "--format", "json"], "Invalid value for '--top'", "predict --help"),
        (["summary", "a", "b", "--json"], "unexpected extra argument", "cnnctl summary --help"),
        (["evaluate", "--json", "--data"], "requires an argument", "cnnctl evaluate --help"),
        (["chekc", "c.yaml", "--json"], "No such command 'chekc'", "cnnctl --help"),
        (["--wrong", "check", "--json"], "No such option: --wrong", "--version"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_json_where_json_is_asked_for(
    command: list[str], message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = cnnctl(*command, cwd=tmp_path)
    error = json.loads(done.stdout)["error"]
    assert error["exit_code"] == done.returncode == 2
    assert message in error["message"]
    assert hint in error["hint"]
    assert error["message"].split("\n")[0] in done.stderr
    assert (error["path"], error["line"], error["column"]) == (None, None, None)


@pytest.mark.parametrize("command", [["check"], ["predict", "--format", "csv"], ["report", "--wrong", "--", "--json"]])
def test_a_wrong_command_line_prints_nothing_else(command: list[str], tmp_path: Path) -> None:
    done = cnnctl(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_config_on_stdin(tmp_path: Path) -> None:
    """Its paths start in the current folder; it may extend a config, and have variables."""
    (tmp_path / "base.yaml").write_text("data: {train: digits, image: {size: 8, channels: 1}}\nmodel: [flatten]\n")
    text = "extends: base.yaml\nclasses: ${env:UNSET:10}\n"
    assert "650" in succeed("summary", "-", cwd=tmp_path, stdin=text)
    assert "<stdin> is ready" in succeed("check", "-", cwd=tmp_path, stdin=text)
    assert "config.png" in succeed("preview", "-", "--output", "config.png", cwd=tmp_path, stdin=text)
    assert json.loads(succeed("schedule", "-", "--json", cwd=tmp_path, stdin=text))["steps_per_epoch"] > 0
    assert "train.py" in succeed("eject", "-", cwd=tmp_path, stdin=text)
    assert fail(2, "train", "-", cwd=tmp_path, stdin=f"{text}trian: 1\n").startswith("<stdin>:3:1: trian: there is no")
    assert fail(2, "summary", "-", cwd=tmp_path, stdin="").startswith("<stdin>:1:1: the file is empty")


def test_a_mistake_in_a_config_has_its_place_in_the_json(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: {train: digits}\nmodel: [flatten]\ntrain:\n  epoch: 3\n  epochs: 0\n")
    error = json.loads(cnnctl("train", "c.yaml", "--json", cwd=tmp_path).stdout)["error"]
    place = (error["path"], error["line"], error["column"], error["hint"], error["exit_code"])
    assert place == ("train.epoch", 4, 3, "did you mean epochs?", 2)
    assert [one["path"] for one in error["problems"]] == ["train.epoch", "train.epochs"]


def test_a_ready_config_that_is_not_there_is_one_command_away(tmp_path: Path) -> None:
    done = cnnctl("check", "digits.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "hint: cnnctl init --example digits writes it")
    succeed("init", "--example", "digits", cwd=tmp_path)
    succeed("check", "digits.yaml", cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "also_banned"),
    [
        (["--help"], ("numpy", "cv2", "onnxruntime", "pydantic", "yaml")),  # newer Typers convert arguments by pydantic
        (["summary", str(CONFIGS / "cifar10.yaml")], ("numpy", "cv2", "onnxruntime")),
        (["summary", "runs/digits/1"], ("numpy", "cv2", "onnxruntime")),
        (["summary", "runs/digits/1/model.keras"], ("numpy", "cv2", "onnxruntime")),
        (["schedule", str(CONFIGS / "cifar10-airbench.yaml"), "--images", "1000"], ("cv2", "onnxruntime")),
        (["schema"], ("numpy", "cv2", "onnxruntime")),
        (["schema", "--markdown"], ("numpy", "cv2", "onnxruntime")),
        (["weights"], ("numpy", "cv2", "onnxruntime", "yaml", "h5py")),
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
    assert {name for name in COMMANDS if f"cnnctl.cli.{name.replace('-', '_')}" in modules} == asked


def test_an_option_that_is_a_key_is_looked_up_in_the_config(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("model: [{dense: 3}, {dense: {units: 4}}]\ntrain: {optimizer: {sgd: {}}}\n")
    for option, found in (
        ("--momentum=0.9", "--set train.optimizer.sgd.momentum=0.9"),
        ("--units=3", "--set 'model[0].dense.units=3' or --set 'model[1].dense.units=3'"),
    ):
        error = json.loads(cnnctl("train", option, "--json", "c.yaml", cwd=tmp_path).stdout)["error"]
        assert error["hint"] == f"did you mean {found}?"


def test_a_folder_that_may_not_be_entered_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    @guarded
    def command() -> None:
        raise PermissionError(13, "Permission denied", "/a/runs")

    with pytest.raises(typer.Exit) as ended:
        command()
    assert (ended.value.exit_code, capsys.readouterr().err.splitlines()[0]) == (5, "error: /a/runs: permission denied")

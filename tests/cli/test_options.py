"""Groups of options: Typer sees single options, the command gets one instance."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from cnnctl.cli.app import app as cnnctl
from cnnctl.cli.app import guarded, register
from cnnctl.cli.options import JsonOption, grouped
from tests.cli.command import cnnctl as command_line
from tests.runs.build import images, write_run


@dataclass(frozen=True)
class SizeOptions:
    height: Annotated[int, typer.Option("--height", min=1)] = 28
    width: Annotated[int | None, typer.Option("--width")] = None


def draw_cli(name: str, size: SizeOptions, as_json: JsonOption = False) -> None:
    print(name, size, as_json)


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["cat"], f"cat {SizeOptions()} False\n"),
        (["--width", "3", "cat", "--json", "--height", "2"], f"cat {SizeOptions(2, 3)} True\n"),
    ],
)
def test_a_group_is_handed_over_as_one_value(arguments: list[str], printed: str) -> None:
    app = typer.Typer()
    app.command()(grouped(guarded(draw_cli)))
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (0, printed)
    assert CliRunner().invoke(app, ["cat", "--height", "0"]).exit_code == 2


def test_options_stay_in_their_order() -> None:
    app = typer.Typer()
    app.command()(grouped(guarded(draw_cli)))
    names = [parameter.name for parameter in typer.main.get_command(app).params]
    assert names[:4] == ["name", "height", "width", "as_json"]


READERS = ("train", "evaluate", "predict", "explain", "serve", "export", "report", "card", "push", "compare", "summary")
READERS += ("doctor",)
NEEDS = {"train": ["--resume"], "predict": ["x.png"], "explain": ["x.png"], "push": ["x"]}
"""What a command needs beside its run."""


def texts(parameter: Any) -> str:
    return f"{parameter.metavar or ''} {getattr(parameter, 'help', None) or ''}".lower()


def test_every_command_that_reads_a_run_takes_it_as_an_argument_and_as_an_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("_CNNCTL_COMPLETE", "complete_bash")  # with which all commands have their options
    register([])
    commands = typer.main.get_command(cnnctl).commands  # type: ignore[attr-defined]
    named = {
        name
        for name, command in commands.items()
        for one in command.params
        if one.param_type_name == "argument" and re.search(r"\brun\b", texts(one))
    }
    optional = {name for name, command in commands.items() if any("--run" in one.opts for one in command.params)}
    assert named == optional == set(READERS)


@pytest.mark.parametrize("name", [name for name in READERS if name != "compare"])
def test_both_are_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in "12":
        write_run(Path("runs/a") / number, images(1, 1))
    done = command_line(name, "runs/a/1", "--run", "runs/a/2", *NEEDS.get(name, ()), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    first, hint = done.stderr.splitlines()
    assert first.startswith("error: two runs are named: ")
    assert {"runs/a/1", "runs/a/2"} <= set(first.split())
    assert hint == "hint: leave one of them out"

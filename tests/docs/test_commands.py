"""docs/commands.md has every option of every command, no other, and the keys of their JSON."""

import importlib
import json
import re
import shutil
from typing import Any

import pytest
import typer

from cnnctl.cli.app import COMMANDS
from cnnctl.cli.options import grouped
from cnnctl.data.sources import digits_folder
from tests.cli.command import succeed
from tests.conftest import CONFIGS, Trained

PAGE = (CONFIGS.parent / "docs" / "commands.md").read_text(encoding="utf-8")
DIGITS = str(CONFIGS / "digits.yaml")
_OPTION = re.compile(r"`(--[a-z][a-z-]*)")


def section(name: str) -> str:
    """What the page says of a command."""
    return PAGE.partition(f"\n## cnnctl {name}\n")[2].partition("\n## ")[0]


def listed(name: str) -> set[str]:
    """The options that the page lists for a command: in a table's first column, or after `Option:`."""
    places = re.findall(r"^(?:\| (`--.*?) \| |Options?: (.*)$)", section(name), re.MULTILINE)
    return {option for place in places for part in place for option in _OPTION.findall(part)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described(name: str) -> None:
    app = typer.Typer()
    word = name.replace("-", "_")
    module = importlib.import_module(f"cnnctl.cli.{word}")
    app.command(name)(grouped(getattr(module, f"{word}_cli")))
    command = typer.main.get_command(app)
    options = {
        option
        for parameter in command.params
        if parameter.param_type_name == "option"
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--")
    }
    assert listed(name) == options - {"--help", "--install-completion", "--show-completion"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("check", [DIGITS]),
        ("summary", [DIGITS]),
        ("doctor", ["runs/digits/1"]),
        ("preview", [DIGITS, "--output", "of-the-docs.png"]),
        ("schedule", [DIGITS]),
        ("runs", []),
        ("compare", ["runs/digits/1", "runs/digits/copy"]),
        ("report", []),
        ("card", ["--output", "of-the-docs"]),
        ("push", ["runs/digits/1", "of-the-docs/pushed"]),
        ("eject", [DIGITS, "--output", "of_the_docs.py"]),
        ("convolve", ["[[0,1],[2,3]]", "--kernel", "[[1]]", "--numbers"]),
        ("convolve", ["[[0,1],[2,3]]", "--kernel", "[[1]]", "--kernel", "[[2]]", "--numbers"]),
        ("explain", ["digit.png", "--numbers"]),
        ("cache", []),
        ("weights", []),
        ("weights", ["EfficientNetLite0"]),
    ],
)
def test_the_keys_of_json_are_described(name: str, words: list[str], digits_run: Trained) -> None:
    copy = digits_run.run.with_name("copy")
    shutil.copytree(digits_run.run, copy, dirs_exist_ok=True)
    shutil.copyfile(digits_folder() / "3" / "0003.png", digits_run.folder / "digit.png")
    try:
        value = json.loads(succeed(name, *words, "--json", cwd=digits_run.folder))
    finally:
        shutil.rmtree(copy)  # other tests list the runs
    described = re.search(r"`--json`[^|]*? ha(?:s|ve) the keys?.*", section(name), re.DOTALL)
    said = described[0] if described else re.findall(r"\| `--json` \|.*", section(name))[0]
    for key in keys(value):
        assert f"`{key}`" in said, key


def keys(value: dict[str, Any]) -> set[str]:
    """Those of the object, and of the objects in its lists."""
    inner = (one for part in value.values() if isinstance(part, list) for one in part if isinstance(one, dict))
    return {*value, *(key for one in inner for key in one)}

"""Groups of options: Typer sees single options, the command gets one instance."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from cnnctl.cli.app import guarded
from cnnctl.cli.options import JsonOption, grouped


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

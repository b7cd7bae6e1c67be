"""--quiet leaves the result alone, --verbose says why and where too, and colours go where they are not wanted."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cnnctl.cli.app import app, register
from cnnctl.system.watcher import Epoch
from cnnctl.terminal.watch import PlainWatcher, TerminalWatcher, watching
from tests.cli.command import cnnctl, fail
from tests.conftest import CONFIGS
from tests.inference.build import COLOURED, colour_run, knowing_run, paint
from tests.runs.build import images, write_run

DIGITS = str(CONFIGS / "digits.yaml")
TIME = r"^\[ *\d+\.\d\d s\] "


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of which the second is the better, a run that answers, and images of its colours."""
    folder = tmp_path_factory.mktemp("loudness")
    write_run(folder / "runs/a/1", images(6, 4))
    write_run(folder / "runs/a/2", images(8, 2))
    colour_run(folder / "colours")
    for name, pixel in COLOURED.items():
        paint(folder / "photos" / f"{name}.png", *pixel)
    knowing_run(folder / "knowing")
    return folder


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("runs", ["runs/a/1", "runs/a/2"]),
        ("runs --best", ["runs/a/2"]),
        ("compare runs/a/1 runs/a/2", ["runs/a/2"]),
        (f"summary {DIGITS}", ["151306"]),
        (f"summary {DIGITS} --formulas", ["151306"]),
        (f"schedule {DIGITS} --images 64 --set train.epochs=2", ["0.001", "0.001"]),
        ("convolve [[0,1],[2,3]] --kernel [[2]] --numbers --at 1,1", ["6"]),
        ("convolve [[0,1],[2,3]] --kernel [[2]] --output map.png", ["map.png"]),
        ("init --example digits --output made.yaml", ["made.yaml"]),
        ("predict --run colours photos/red.png", ["red"]),
        ("predict --run colours photos", [f"photos/{name}.png\t{name}" for name in sorted(COLOURED)]),
        ("predict --run knowing photos/blue.png", ["unknown"]),
        ("predict --run colours photos/red.png --output parts/ --format csv", []),
        ("cache --folder nothing", ["0"]),
        ("cache --folder nothing --clear", []),
    ],
)
def test_the_result_alone(folder: Path, words: str, lines: list[str]) -> None:
    done = cnnctl(*words.split(), "--quiet", cwd=folder)
    assert (done.stdout.splitlines(), done.stderr, done.returncode) == (lines, "", 0)


def test_errors_are_told_all_the_same(folder: Path) -> None:
    done = cnnctl("predict", "--run", "colours", "photos/red.png", "photos/gone.png", "-q", cwd=folder)
    assert (done.stdout, done.returncode) == ("photos/red.png\tred\n", 8)
    assert done.stderr.startswith("error: photos/gone.png: ")
    (folder / "wrong.yaml").write_text(
        "data: {train: photos, image: {size: 8}}\nmodel: [flatten]\ntrain: {epochs: -1}\n"
    )
    done = cnnctl("check", "wrong.yaml", "-q", cwd=folder)
    assert (done.stdout, done.returncode) == ("", 2)
    assert "train.epochs" in done.stderr


def test_details_are_on_stderr_with_their_time(folder: Path) -> None:
    plain, loud = (cnnctl("predict", "--run", "colours", "photos/red.png", *more, cwd=folder) for more in ([], ["-v"]))
    assert loud.stdout == plain.stdout
    assert plain.stderr == ""
    lines = loud.stderr.splitlines()
    assert all(re.match(TIME, line) for line in lines)
    said = [re.sub(TIME, "", line) for line in lines]
    assert f"run: colours is {folder / 'colours'}" in said
    assert any(line.startswith(f"model: {folder / 'colours/model.onnx'}, ") for line in said)
    assert any(re.fullmatch(r"loading the model took \d+\.\d\d s", line) for line in said)
    assert said[-1] == "done"


def test_where_files_are_looked_for(folder: Path) -> None:
    (folder / "upper.yaml").write_text(f"extends: {DIGITS}\ntrain: {{epochs: 1}}\n")
    said = cnnctl("check", "upper.yaml", "--verbose", cwd=folder).stderr
    for place in (folder / "upper.yaml", DIGITS):
        assert f"config: read from {place}\n" in said
    assert re.search(r"images: 1,797 listed in /.*digits-\d+, taken for class folders", said)
    assert "decoded images: " in said


def test_they_may_stand_before_the_command_and_exclude_each_other(folder: Path) -> None:
    assert cnnctl("-q", "runs", cwd=folder).stdout == "runs/a/1\nruns/a/2\n"
    assert "done" in cnnctl("-v", "runs", cwd=folder).stderr
    assert cnnctl("-v", "runs", "-q", cwd=folder).stderr == ""
    assert "exclude each other" in fail(2, "runs", "-q", "-v", cwd=folder)
    assert "exclude each other" in fail(2, "-q", "-v", "runs", cwd=folder)


def test_every_command_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_CNNCTL_COMPLETE", "complete_bash")  # with which all commands have their options
    register([])
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        options = {option for one in command.params for option in one.opts}
        assert {"--quiet", "-q", "--verbose", "-v"} <= options, name


@pytest.mark.parametrize(
    ("variable", "value", "kind"),
    [("TERM", "xterm-256color", TerminalWatcher), ("TERM", "dumb", PlainWatcher), ("NO_COLOR", "1", TerminalWatcher)],
)
def test_bars_have_the_colours_that_the_terminal_wants(
    variable: str, value: str, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv(variable, value)
    with watching(True, screen := Screen()) as watcher:
        assert type(watcher) is kind
        for done in (1, 2):
            watcher.step(1, 3, done, 9, {"loss": 1.0})
        if isinstance(watcher, TerminalWatcher):
            watcher._progress.refresh()
        watcher.epoch(Epoch(1, 3, {"loss": 1.0}, 0.1, 1.0, 1.0, True))
    shown = screen.getvalue()
    has_colours = re.search(r"\x1b\[[0-9;]*38;5;", shown) is not None
    assert has_colours == ((variable, value) == ("TERM", "xterm-256color"))
    assert ("\x1b" in shown) == (kind is TerminalWatcher)


def test_colours_of_a_mistake(folder: Path) -> None:
    def escapes(**variables: str) -> set[str]:
        environment = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        return set(re.findall(r"\x1b\[[\d;]*m", usage_error(folder, environment | variables)))

    assert escapes() == set()
    assert any("31" in code for code in escapes(FORCE_COLOR="1"))
    assert not any(re.search(r"3\d", code) for code in escapes(FORCE_COLOR="1", NO_COLOR="1"))


def usage_error(folder: Path, environment: dict[str, str]) -> str:
    """What is printed of an option that there is not."""
    words = [sys.executable, "-m", "cnnctl", "runs", "--nope"]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False).stderr

"""A command imports what it does, and no module for a constant, a rare option or a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl.inference.known_models import MADE, fingerprint, remember
from tests.conftest import CONFIGS
from tests.inference.build import colour_run, paint

PROGRAM = """\
import json, sys
from cnnctl.cli.app import run
code = run()
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""
ROOMS = ("training", "models", "evaluation", "pictures", "tracking", "weights", "init", "explaining", "ejecting", "api")
IN_HELP_ALONE = ("rich", "markdown_it", "pygments", "html.entities")
HELP = (*ROOMS, "config", "layers", "architecture", "data", "runs", "terminal")
SUMMARY = (
    *(*ROOMS, "data", "runs", "inference"),
    *("config.meant", "config.problems", "config.extends", "config.overrides", "config.dump"),
)
PREDICT = (
    *(*ROOMS, "config", "layers", "architecture", "runs.listing", "terminal.found"),
    *("inference.operators", "inference.time_limit", "inference.sets"),
    *("data.table", "data.sheets", "data.dialect", "data.listing", "data.split_folders", "data.missing"),
    *(f"data.decoder.{name}" for name in "tiff jpeg jpeg2000 bmp pnm av1 heif hevc heif_boxes bits parallel".split()),
)


def modules_of(*arguments: str) -> set[str]:
    """The modules of a process after a command."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    return set(modules)


def of(places: tuple[str, ...], modules: set[str]) -> list[str]:
    """Those modules that are, or are in, one of these places of cnnctl."""
    names = [f"cnnctl.{place}" for place in places]
    return sorted(one for one in modules if any(one == name or one.startswith(f"{name}.") for name in names))


def test_the_places_are_there() -> None:
    root = CONFIGS.parent / "cnnctl"
    for place in {*HELP, *SUMMARY, *PREDICT}:
        path = root / place.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), place


def test_the_list_of_commands() -> None:
    assert of(HELP, modules_of("--help")) == []


@pytest.mark.parametrize("words", [("--help",), ("train", "--help")])
def test_help_imports_no_parser_of_markdown_and_leaves_nothing_in_its_place(words: tuple[str, ...]) -> None:
    modules = modules_of(*words)
    assert "typer.rich_utils" in modules
    assert modules.isdisjoint({"markdown_it", "rich.markdown"})

    said = [
        subprocess.run([sys.executable, "-c", before + PROGRAM, *words], capture_output=True, text=True, check=True)
        for before in ("", "import rich.markdown\n")
    ]
    assert "Usage" in said[0].stdout
    assert said[0].stdout == said[1].stdout


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_summary_of_a_config_that_says_how_many_classes_it_has(more: tuple[str, ...]) -> None:
    modules = modules_of("summary", str(CONFIGS / "digits.yaml"), *more)
    assert of(tuple(place for place in SUMMARY if not more or place != "config.dump"), modules) == []
    assert modules.isdisjoint(IN_HELP_ALONE)


def test_a_prediction_of_one_png(tmp_path: Path) -> None:
    run = colour_run(tmp_path / "run")
    remember(fingerprint(run.onnx_model.read_bytes()), MADE)
    modules = modules_of("predict", paint(tmp_path / "red.png", 250, 0, 0), "--run", str(run.path))
    assert "cnnctl.inference.model" in modules
    assert of(PREDICT, modules) == []
    assert modules.isdisjoint({*IN_HELP_ALONE, "yaml"})

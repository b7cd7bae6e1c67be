"""Scripts from config text, without any data."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnctl.config import Config
from cnnctl.data.catalog import image_spec
from cnnctl.ejecting.reading import Reader, reader_source
from cnnctl.ejecting.script import Facts, Script, compose

SPLIT = "train-split.csv"
COUNTS = {"train": 100, "validation": 20, "test": 30}


def facts(config: Config, classes: Sequence[str] = ("cat", "dog"), **more: Any) -> Facts:
    """What a script is written from, with figures made up for what only the data could say."""
    channels = config.data.image.channels
    statistics = None
    if config.data.image.scaling == "standardize":
        statistics = ((120.25, 110.5, 99.75)[:channels], (60.5, 61.25, 62.125)[:channels])
    given = {"name": "made", "counts": COUNTS, "statistics": statistics}
    given["reader"] = Reader(reader_source(image_spec(config.data.image), full=False))
    return Facts(config=config, classes=tuple(classes), **{**given, **more})


def script(config: Config, classes: Sequence[str] = ("cat", "dog"), **more: Any) -> Script:
    """The script of a config."""
    return compose(facts(config, classes, **more), SPLIT)


def python(words: Sequence[str | Path], cwd: Path) -> str:
    """What a Python process prints; it must end well."""
    done = subprocess.run([sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def insist_on_ruff(folder: Path) -> None:
    """Ruff finds nothing in the scripts of a folder and would format nothing, by its own line length or by ours."""
    rules = "E4,E7,E9,F,W,I,B,UP,SIM,C4,N,PIE,RET,PTH,PT"
    python(["-m", "ruff", "check", "--isolated", "--no-cache", "."], folder)
    python(["-m", "ruff", "check", "--isolated", "--no-cache", "--select", rules, "."], folder)
    for columns in (88, 120):
        python(
            ["-m", "ruff", "format", "--isolated", "--no-cache", "--diff", "--line-length", str(columns), "."], folder
        )

"""The ready configs are all there, in a checkout and in an installed package, and their copies say what they say."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cnnctl.config import load
from cnnctl.errors import UsageError
from cnnctl.init.examples import EXAMPLES, read_example
from tests.conftest import CONFIGS

BLANKS = {
    "digits": [],
    "lenet5": [],
    "article": ["cats-dogs"],
    "cats-dogs": ["cats-dogs"],
    "cifar10": ["cifar10/train", "cifar10/test"],
    "cifar10-strong": ["cifar10/train", "cifar10/test"],
    "csv-digits": ["digits/train.csv", "{path: filename, label: digit, folder: digits/images}"],
}


def test_every_ready_config_has_a_name():
    assert sorted(EXAMPLES.values()) == sorted(path.name for path in CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_copy_is_the_same_config(name, tmp_path):
    example = read_example(name)
    path = tmp_path / "config.yaml"
    path.write_text(example.text)
    ours, theirs = load(path), load(CONFIGS / EXAMPLES[name])
    here, there = str(tmp_path), str(CONFIGS)
    assert repr(ours).replace(here, there) == repr(theirs)
    assert "schema" not in example.text
    assert example.about.endswith((".", ".csv"))
    assert "#" not in example.about


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_lines_to_fill_in_are_named(name):
    example = read_example(name)
    lines = example.text.splitlines()
    assert [blank.text.partition(": ")[2] for blank in example.blanks] == BLANKS[name]
    for blank in example.blanks:
        line = lines[blank.line - 1]
        assert line.strip().startswith(blank.text)
        assert line.endswith(f"# <- {blank.what}")
    assert len(example.blanks) == example.text.count("# <-")


def test_article_is_the_network_of_the_article():
    config = read_example("article")
    assert "219,801 parameters" in config.about


@pytest.mark.parametrize(
    ("name", "hint"), [("digit", "did you mean digits?"), ("q", "the examples are digits, lenet5,")]
)
def test_a_misspelt_name(name, hint):
    with pytest.raises(UsageError, match="there is no example") as caught:
        read_example(name)
    assert caught.value.hint.startswith(hint)


def test_a_wheel_holds_them(tmp_path):
    """Built from a copy of what a wheel is built from, and read from the unpacked wheel."""
    pytest.importorskip("setuptools")
    root, source = CONFIGS.parent, tmp_path / "source"
    source.mkdir()
    for name in ("cnnctl", "configs"):
        shutil.copytree(root / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(root / name, source)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", build], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    assert not (tmp_path / "site" / "cnnctl" / "configs").is_symlink()
    program = "from cnnctl.init.examples import *; print(FOLDER, *(len(read_example(n).text) for n in EXAMPLES))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path / "site", capture_output=True, text=True, check=True
    )
    folder, *sizes = done.stdout.split()
    assert Path(folder) == tmp_path / "site" / "cnnctl" / "configs"
    assert [int(size) for size in sizes] == [len(read_example(name).text) for name in EXAMPLES]

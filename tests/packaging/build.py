"""Wheels of a copy of the checkout, and environments of their own to install them in."""

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import CONFIGS

ROOT = CONFIGS.parent
_FOLDERS = ("cnnctl", "tests", "configs", "docs", "benchmarks", "packaging", ".ci")
_FILES = ("pyproject.toml", "MANIFEST.in", "Makefile", "LICENSE", ".gitignore")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")


def copy_checkout(folder: Path, folders: tuple[str, ...] = _FOLDERS, files: tuple[str, ...] = _FILES) -> Path:
    """A copy, without what was built in the checkout; links stay links."""
    source = folder / "source"
    for name in folders:
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=_LEFT_OUT)
    for path in (*map(ROOT.joinpath, files), *ROOT.glob("*.md")):
        shutil.copy(path, source)
    return source


def build(project: Path, folder: Path, *kinds: str) -> None:
    """Build a `wheel`, an `sdist` or both from the folder of a pyproject.toml."""
    calls = "; ".join(f"b.build_{kind}({str(folder)!r})" for kind in kinds)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"from setuptools import build_meta as b; {calls}"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def environment() -> dict[str, str]:
    """Without the ways in which a checkout could be found."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@dataclass(frozen=True)
class Installed:
    """An environment of its own with a wheel.

    Attributes:
        python: Its interpreter.
        folder: An empty folder to work in.
    """

    python: Path
    folder: Path

    @property
    def command(self) -> Path:
        """The installed `cnnctl`."""
        return self.python.with_name("cnnctl")

    def run(self, *words: str, code: int = 0) -> str:
        """What `cnnctl WORDS` in the folder prints: to stderr where it fails, as it then must with `code`."""
        done = subprocess.run(
            [self.command, *words], cwd=self.folder, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stderr if code else done.stdout


def install(wheel: Path, root: Path, dependencies: Path) -> Installed:
    """A wheel in an environment in `root`, whose other packages are those in the folder `dependencies`."""
    venv.create(root / "venv", symlinks=True)
    python = root / "venv" / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, str(wheel)], env=environment(), check=True)
    (site,) = (root / "venv" / "lib").glob("python*/site-packages")
    # a line of a .pth is a folder to search; the .pth files in that folder, the editable checkout's, are not read
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    (root / "work").mkdir()
    return Installed(python, root / "work")

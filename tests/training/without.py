"""The command in processes that cannot find some packages."""

import os
import subprocess
from pathlib import Path

from tests import forks

HIDE = """\
import importlib.machinery as machinery
import os

find, hidden = machinery.PathFinder.find_spec, os.environ["HIDDEN"].split()
machinery.PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in hidden else find(name, *rest)
"""
"""A sitecustomize.py by which packages are as good as not installed."""


class Without:
    """The command in a process in which some packages are hidden."""

    def __init__(self, folder: Path, *hidden: str) -> None:
        (folder / "hide").mkdir()
        (folder / "hide" / "sitecustomize.py").write_text(HIDE)
        self.folder = folder
        path = os.pathsep.join([str(folder / "hide"), os.environ.get("PYTHONPATH", "")])
        self.environment = {**os.environ, "PYTHONPATH": path, "HIDDEN": " ".join(hidden)}
        self.environment.pop("KERAS_BACKEND", None)
        # Several processes train the same network: what the first has compiled, the others read.
        self.environment["JAX_COMPILATION_CACHE_DIR"] = str(folder / "compiled")
        self.environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"

    def run(
        self, *arguments: str, code: int = 0, fresh: bool = False, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return self.python("-m", "cnnctl", *arguments, code=code, fresh=fresh, **environment)

    def python(
        self, *arguments: str, code: int = 0, fresh: bool = False, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """A process of its own, or a fork as `tests.forks.python` makes them."""
        done = forks.python(arguments, self.folder, {**self.environment, **environment}, fresh=fresh)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == code, err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

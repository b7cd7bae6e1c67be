"""Which versions of packages are installed.

python -m tests.pins write     tests/constraints.txt: today's newest versions, for all Pythons and platforms (by uv)
python -m tests.pins lowest    print every direct dependency at its lower bound in pyproject.toml, extras included

The file is in the format of pip's --constraint. It holds names, versions and markers, and no address of an index.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
PINS = ROOT / "tests" / "constraints.txt"

HEAD = """\
# Written by `make pins`. What `make install` installs, and with it demo, test and CI, on every Python and platform.
"""

ALSO = ("pip", "setuptools")
"""What installs: pinned beside what is installed."""

LIMITS = ("backports-strenum<1.3",)
"""1.3 refuses Python 3.11; uv looks at the lower bound of Requires-Python alone."""

BEFORE = "3.15"
"""The first Python that is not looked at: onnxruntime has no wheel for it."""

EVERYWHERE = " and implementation_name == 'cpython' and (sys_platform == 'darwin' or sys_platform == 'linux'"
EVERYWHERE += " or sys_platform == 'win32')"
"""How uv writes that it makes no difference."""

_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(\[[\w,-]+\])?>=(?P<version>[\w.]+)(,<[\w.]+)?\s*(;\s*(?P<marker>.+))?", re.ASCII
)
_PIN = re.compile(r"(?P<name>[\w.-]+)==[\w.!+]+( ; .+)?", re.ASCII)


def requirements() -> Iterator[str]:
    """Every requirement of pyproject.toml: to build, to run, and of each extra, but for the package itself and for
    TensorFlow's CUDA, which make installs nowhere.
    """
    with (ROOT / "pyproject.toml").open("rb") as file:
        told = tomllib.load(file)
    project = told["project"]
    extras = [wanted for extra, wanted in project["optional-dependencies"].items() if extra != "gpu"]
    for group in (told["build-system"]["requires"], project["dependencies"], *extras):
        yield from (one for one in group if not one.startswith(f"{project['name']}["))


def lowest(requirement: str) -> str:
    """A requirement as the one version that is its lower bound.

    Raises:
        ValueError: it has none.
    """
    found = _REQUIREMENT.fullmatch(requirement)
    if found is None:
        raise ValueError(f"pyproject.toml: {requirement!r} is not NAME>=VERSION[,<VERSION][; MARKER]")
    marker = f" ; {found['marker']}" if found["marker"] else ""
    return f"{found['name']}=={found['version']}{marker}"


def resolve() -> str:
    """What uv finds: a line for each package, of the same version on every Python and platform where one exists."""
    wanted = [*requirements(), *ALSO]
    limited = f"python_version < '{BEFORE}' and implementation_name == 'cpython'"
    environments = [f"sys_platform == '{platform}' and {limited}" for platform in ("linux", "darwin", "win32")]
    project = f"""\
[project]
name = "pins"
version = "0"
requires-python = ">=3.11"
dependencies = {json.dumps(wanted)}
[tool.uv]
environments = {json.dumps(environments)}
constraint-dependencies = {json.dumps(LIMITS)}
"""
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--universal", "--quiet"]
    command += ["--fork-strategy", "fewest", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += ["--no-emit-find-links"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(project)
        return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout


def pins(resolved: Sequence[str]) -> list[str]:
    """Lines as `write` writes them: markers stay where a package has several versions.

    Args:
        resolved: Lines of uv.

    Raises:
        ValueError: a line is more than a name, a version and a marker.
    """
    found = [_PIN.fullmatch(line) for line in resolved]
    strange = [line for line, one in zip(resolved, found, strict=True) if one is None]
    if strange:
        raise ValueError(f"not NAME==VERSION[ ; MARKER]: {strange[0]}")
    versions = Counter(one["name"] for one in found if one)
    return [
        line.replace(EVERYWHERE, "") if versions[one["name"]] > 1 else line.partition(" ; ")[0]
        for line, one in zip(resolved, found, strict=True)
        if one
    ]


def write() -> None:
    """Write the file."""
    PINS.write_text(HEAD + "".join(f"{line}\n" for line in pins(resolve().splitlines())))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write"]:
            write()
        case ["lowest"]:
            print(*sorted({lowest(one) for one in requirements()}), sep="\n")
        case _:
            sys.exit(__doc__)

"""Which files of a run are at another place, and their SHA-256: the file SHA256SUMS, which `sha256sum --check` reads.

The list comes from a stranger as the files do. It shows that they came as they were sent, and not who sent them.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from cnnctl.errors import RunError
from cnnctl.runs import Run
from cnnctl.runs.contents import OWN
from cnnctl.system.files import is_folder

SUMS = "SHA256SUMS"
MOST_BYTES = 2**20

_LEFT_OUT = {".lock", "checkpoints", "tensorboard", "mlflow.json", "wandb.json"}
"""What is of use on the machine that trained alone."""
_OF_MODEL = {
    *("README.md", "network.png", "model.onnx", "model.keras", "classes.json", "config.yaml"),
    *("metrics.json", "unknown.json", "prediction_sets.json", "thresholds.json", "environment.json"),
}
"""What names no image, and shows none."""
_MOST_FILES = 1000
_DEEPEST = 4
_BLOCK = 2**20
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_NAME = re.compile(r"[\w.+ -]{1,200}", re.ASCII)


def names_of(run: Run, only_model: bool = False) -> list[str]:
    """The files of a run that are sent, by their names in it."""
    paths: list[Path] = []
    for top in sorted(_OF_MODEL if only_model else OWN - _LEFT_OUT):
        path = run.path / top
        if is_folder(path):
            paths += _below(run, path)
        elif run.has(path):
            paths.append(path)
    relative = [path.relative_to(run.path).as_posix() for path in paths]
    return [name for name in relative if is_fit(name)]


def _below(run: Run, folder: Path) -> Iterator[Path]:
    for name in run.names_in(folder):
        path = folder / name
        if is_folder(path):
            yield from _below(run, path)
        elif run.has(path):
            yield path


def is_fit(name: str) -> bool:
    """Whether a file of a run may have this name: one of ours, or one below a folder of ours, in plain letters."""
    parts = name.split("/")
    return (
        parts[0] in OWN - _LEFT_OUT
        and len(parts) <= _DEEPEST
        and all(_NAME.fullmatch(part) and not part.startswith(".") for part in parts)
        and PurePosixPath(name).parts == tuple(parts)
    )


def digests_of(run: Run, names: list[str]) -> dict[str, str]:
    """The SHA-256 of each file."""
    found = {}
    for name in names:
        with run.open(run.path / name) as file:
            digest = hashlib.sha256()
            for block in iter(lambda: file.read(_BLOCK), b""):
                digest.update(block)
            found[name] = digest.hexdigest()
    return found


def to_text(digests: Mapping[str, str]) -> bytes:
    """The content of the file."""
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()


def parse(content: bytes, source: str) -> dict[str, str]:
    """What a SHA256SUMS says; every name is one that a run may have.

    Raises:
        RunError: it is something else.
    """
    digests: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        found = _LINE.fullmatch(line)
        if found is None or not is_fit(found[2]):
            raise RunError(f"{SUMS} of {source} names something that is no file of a run", "cnnctl push writes it")
        digests[found[2]] = found[1]
    if not digests or len(digests) > _MOST_FILES:
        raise RunError(f"{SUMS} of {source} names {len(digests):,} files", "cnnctl push writes it")
    return digests

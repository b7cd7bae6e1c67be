"""The folder of a sweep: what is written when it begins, and what whoever joins must agree with."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.config import Config
from cnnctl.config.dump import leaves, to_plain, to_yaml
from cnnctl.config.sweep import Sweep
from cnnctl.errors import RunError, UsageError
from cnnctl.system import files
from cnnctl.system.locks import locked

BASE, STATE, BEST, TRIALS = "base.yaml", "sweep.json", "best.yaml", "trials.csv"
_DATABASE = "trials.db"
_ELSEWHERE = "choose another folder with --output"


@dataclass(frozen=True)
class Place:
    """A folder, the name of its study, and the storage."""

    folder: Path
    study: str
    url: str


def settle(sweep: Sweep, config: Config, output: Path) -> Place:
    """Begin a sweep in a folder, or join the one that is there.

    Raises:
        UsageError: the folder has something else in it, or a sweep of another config, space or metric.
        DiskError: it cannot be written.
    """
    folder = files.absolute(output)
    url = sweep.settings.storage or f"sqlite:///{folder / _DATABASE}"
    if files.exists(folder) and not files.is_folder(folder):
        raise UsageError(f"{output} is a file, not a folder", _ELSEWHERE)
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".beginning.lock", lambda: None):
            return Place(folder, _begin_or_join(sweep, config, output, folder), url)


def _begin_or_join(sweep: Sweep, config: Config, output: Path, folder: Path) -> str:
    state = folder / STATE
    identity = _identity(sweep, config)
    if files.is_file(state):
        before = _read(state)
        _insist(before["identity"], identity, output)
        return str(before["study"])
    others = [child.name for child in folder.iterdir() if not child.name.startswith(".") and child.name != BASE]
    if others:
        raise UsageError(f"{output} is not empty and is no sweep", _ELSEWHERE)
    name = f"{config.name}-{secrets.token_hex(4)}"
    files.write_text(folder / BASE, to_yaml(config))
    files.write_json(state, {"study": name, "identity": identity})
    return name


def _identity(sweep: Sweep, config: Config) -> dict[str, Any]:
    """What decides the meaning of a trial; how many, how they are chosen and where they are kept may change."""
    varied = {one.key for one in sweep.dimensions}
    plain = {path: value for path, value in leaves(to_plain(config)) if not _is_below(path, varied)}
    space = {one.key: list(one.options) if one.options is not None else to_plain(one.range) for one in sweep.dimensions}
    whole = {"metric": sweep.settings.metric, "space": space, "config": plain}
    return dict(json.loads(json.dumps(whole)))


def _is_below(path: str, keys: set[str]) -> bool:
    return any(path == key or path.startswith((f"{key}.", f"{key}[")) for key in keys)


def _insist(before: Mapping[str, Any], now: Mapping[str, Any], output: Path) -> None:
    there, here = dict(leaves(before)), dict(leaves(now))
    changed = [
        f"{key}: {json.dumps(there.get(key))} there, {json.dumps(here.get(key))} here"
        for key in {**there, **here}
        if there.get(key) != here.get(key) and not key.endswith(("config.data.cache", "config.name"))
    ]
    if changed:
        message = f"{output} is a sweep of something else:\n  " + "\n  ".join(changed[:10])
        raise UsageError(message, f"trials, sampler and prune may change; else {_ELSEWHERE}")


def _read(state: Path) -> dict[str, Any]:
    try:
        content = json.loads(state.read_text(encoding="utf-8"))
        return {"study": str(content["study"]), "identity": dict(content["identity"])}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RunError(f"{state} cannot be read: {error!r}", "restore it, or choose another folder") from None

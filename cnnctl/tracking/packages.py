"""The packages of experiment trackers, each an extra of its own."""

import importlib.util
import os
from collections.abc import Sequence

from cnnctl.config.training import Logger
from cnnctl.errors import MachineError, how_to_install


def insist_on_packages(names: Sequence[Logger]) -> None:
    """Raises:
    MachineError: what a tracker needs is not installed; the hint names the extra.
    """
    for name in names:
        missing = next((package for package in _packages(name) if importlib.util.find_spec(package) is None), None)
        if missing is not None:
            raise MachineError(f"train.loggers: {name} needs {missing}, which is not installed", how_to_install(name))


def _packages(name: Logger) -> tuple[str, ...]:
    where = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:"
    if name == "mlflow" and where.startswith("sqlite:"):
        return ("mlflow", "sqlalchemy", "alembic")
    return (name,)

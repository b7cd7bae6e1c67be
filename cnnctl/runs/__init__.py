"""The run directory: the contract between training and everything after it."""

from cnnctl.runs.directory import Run, create_run
from cnnctl.runs.find import find_run

__all__ = ["Run", "create_run", "find_run"]

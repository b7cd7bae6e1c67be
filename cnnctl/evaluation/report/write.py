"""RUN/report.html."""

from pathlib import Path

from cnnctl.errors import DiskError, MachineError
from cnnctl.evaluation.report.gather import gather
from cnnctl.pictures.page import render
from cnnctl.runs import Run
from cnnctl.runs.directory import own
from cnnctl.system import files

_HINT = "the report is written into the run: copy the run to a folder that you can write to"


def write_report(run: Run) -> Path:
    """Gather, draw and write the page of a run; where it lies.

    Raises:
        RunError: the run is not complete; the hint says what is missing.
        BusyError: another process works on it.
        MachineError: it cannot be written.
    """
    try:
        lock = own(run)
    except MachineError as error:
        raise MachineError(error.message, _HINT) from None
    try:
        files.write_text(run.report, render("report.html", report=gather(run)))
    except DiskError as error:
        raise DiskError(error.message, _HINT) from None
    finally:
        lock.release(remove=True)
    return run.report

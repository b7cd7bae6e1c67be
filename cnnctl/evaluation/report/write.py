"""RUN/report.html."""

from collections.abc import Callable
from pathlib import Path

from cnnctl.errors import DiskError, MachineError, Notice
from cnnctl.evaluation.report.gather import gather
from cnnctl.pictures.page import render
from cnnctl.runs import Run
from cnnctl.runs.directory import own
from cnnctl.system.packages import insist_on

_HINT = "the report is written into the run: copy the run to a folder that you can write to"


def write_report(run: Run, with_images: bool = False, warn: Callable[[Notice], None] | None = None) -> Path:
    """Gather, draw and write the page of a run; where it lies.

    `with_images` is that of `gather`; `warn` hears of images that are withheld without it.

    Raises:
        RunError: the run is not complete; the hint says what is missing.
        BusyError: another process works on it.
        MachineError: it cannot be written, or a package that it needs is not installed.
    """
    insist_on("jinja2", "matplotlib")
    try:
        lock = own(run)
    except MachineError as error:
        raise MachineError(error.message, _HINT) from None
    try:
        report = gather(run, with_images)
        run.write_text(run.report, render("report.html", report=report))
    except DiskError as error:
        raise DiskError(error.message, _HINT) from None
    finally:
        lock.release(remove=True)
    if warn is not None and report.withheld is not None:
        message = report.withheld[0].lower() + report.withheld[1:]
        warn(Notice(message, "--with-images shows them"))
    return run.report

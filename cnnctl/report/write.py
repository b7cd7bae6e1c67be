"""RUN/report.html."""

from pathlib import Path

from cnnctl.pages.page import render
from cnnctl.report.gather import gather
from cnnctl.runs import Run, files
from cnnctl.runs.directory import own


def write_report(run: Run) -> Path:
    """Gather, draw and write the page of a run; where it lies.

    Raises:
        RunError: the run is not complete; the hint says what is missing.
        BusyError: another process works on it.
        DiskError: it cannot be written.
    """
    html = render("report.html", report=gather(run))
    lock = own(run)
    try:
        files.write_text(run.report, html)
    finally:
        lock.release(remove=True)
    return run.report

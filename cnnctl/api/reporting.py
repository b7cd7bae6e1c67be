"""`cnnctl.report`."""

from dataclasses import dataclass
from pathlib import Path

from cnnctl.api.guests import hosted
from cnnctl.api.runs import AnyRun, find
from cnnctl.errors import Notice
from cnnctl.evaluation.report.write import write_report
from cnnctl.system.files import absolute


@dataclass(frozen=True)
class Report:
    """The page of a run.

    Attributes:
        path: The file RUN/report.html, absolute; it loads nothing from the network.
        warnings: What it does not show, and why.
    """

    path: Path
    warnings: tuple[Notice, ...] = ()


def report(run: AnyRun = None, *, with_images: bool = False) -> Report:
    """Write everything about a run into one HTML page, RUN/report.html.

    Args:
        run: A run; the latest of the current folder when left out.
        with_images: Show the images that split.csv names, wherever they are; when left out, only of your own
            runs, and only those that they were trained on, from the data folders of the config.

    Raises:
        RunError: there is no such run, or it is not complete.
        BusyError: another process works on the run, or this one is training.
        MachineError: it cannot be written.

    Example: `webbrowser.open(report("runs/photos/1").path.as_uri())`
    """
    found = find(run)
    notices: list[Notice] = []
    with hosted("writing a report"):
        path = write_report(found, with_images, notices.append)
    return Report(absolute(path), tuple(notices))

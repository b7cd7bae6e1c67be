"""`cnnctl doctor`: look at a data set, and write what was found for a person to read and to decide on."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.errors import MachineError, UsageError
from cnnctl.examining.examine import Progress, examine
from cnnctl.examining.findings import Diagnosis
from cnnctl.examining.fixes import COLUMNS, FILE, fix_rows
from cnnctl.examining.page import write_page
from cnnctl.examining.subject import Subject
from cnnctl.system import files

FOLDER, PAGE = "doctor", "index.html"
_ELSEWHERE = "choose another folder with --output DIR"


@dataclass(frozen=True)
class Examined:
    """What came out, and where it lies: `page` and `fixes` are in the folder; `withheld` is what the page lacks."""

    diagnosis: Diagnosis
    folder: Path
    page: Path
    fixes: Path
    withheld: str = ""

    def to_json(self) -> dict[str, Any]:
        """The form of `doctor --json`."""
        written = {"folder": str(self.folder), "page": str(self.page), "fixes": str(self.fixes)}
        return {**written, "withheld": self.withheld or None, **self.diagnosis.to_json()}


def look_at(
    subject: Subject,
    source: str,
    output: Path | None,
    predictions: Path | None,
    with_images: bool,
    progress: Progress,
) -> Examined:
    """Examine images and labels, and write the page and fixes.csv into a new folder.

    `source` is the config or run as it was named. The folder is `output`, or the next number in doctor/NAME/.

    Raises:
        UsageError: `output` is not empty.
        CnnctlError: as `examine`; or the folder cannot be written.
    """
    if output is not None:
        _refuse_occupied(output)
    diagnosis = examine(subject, predictions, progress)
    folder = _made(output, str(subject.config.name or subject.name))
    page, withheld = write_page(diagnosis, folder, source, with_images)
    files.write_csv(folder / FILE, COLUMNS, fix_rows(diagnosis))
    files.write_text(folder / PAGE, page)
    return Examined(diagnosis, folder, folder / PAGE, folder / FILE, withheld)


def _refuse_occupied(output: Path) -> None:
    try:
        if files.exists(output) and not output.is_dir():
            raise UsageError(f"{output} is a file, not a folder", _ELSEWHERE)
        if files.is_folder(output) and any(output.iterdir()):
            raise UsageError(f"{output} is not empty: its {FILE} may be one that you have filled in", _ELSEWHERE)
    except OSError as error:
        raise MachineError(f"{output} cannot be used: {error.strerror}", _ELSEWHERE) from None


def _made(output: Path | None, name: str) -> Path:
    """The folder for what is written, made now."""
    try:
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
            return output
        base = Path(FOLDER, name.replace("/", "-"))
        base.mkdir(parents=True, exist_ok=True)
        there = [int(child.name) for child in base.iterdir() if child.name.isdecimal()]
        for number in itertools.count(max(there, default=0) + 1):
            try:
                (base / str(number)).mkdir()
            except FileExistsError:
                continue
            return base / str(number)
    except OSError as error:
        raise MachineError(f"{output or FOLDER} cannot be made: {error.strerror}", _ELSEWHERE) from None
    raise AssertionError("unreachable")

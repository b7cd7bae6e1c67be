"""`cnnctl.card`."""

from pathlib import Path

from cnnctl.api.guests import hosted
from cnnctl.api.runs import AnyRun, find
from cnnctl.evaluation.card.write import write_card
from cnnctl.system.files import absolute


def card(run: AnyRun = None, *, output: str | Path | None = None, overwrite: bool = False) -> Path:
    """Write a model card, README.md in Hugging Face's form, from what a run has recorded; where it lies.

    Args:
        run: A run; the latest of the current folder when left out.
        output: The folder to write it into; the run when left out.
        overwrite: Replace a card that is there already.

    Raises:
        UsageError: there is a card already.
        RunError: there is no such run, or it is not complete.
        BusyError: another process works on the run, or this one is training.
        MachineError: it cannot be written.

    Example: `print(card("runs/photos/1").read_text())`
    """
    found = find(run)
    with hosted("writing a card"):
        return absolute(write_card(found, None if output is None else Path(output), overwrite))

"""RUN/README.md and the picture of the network beside it."""

from pathlib import Path
from typing import Any

from cnnctl.architecture.planner import plan_of
from cnnctl.errors import RunError, UsageError
from cnnctl.evaluation.card.head import head
from cnnctl.evaluation.card.text import CONFUSION, NETWORK, body
from cnnctl.runs import Run
from cnnctl.runs.directory import own
from cnnctl.system.packages import is_installed

_MATRIX = "confusion_matrix_normalised.png"


def write_card(run: Run, output: Path | None = None, overwrite: bool = False) -> Path:
    """Write the card of a complete run into it, or into the folder `output`; where it lies.

    The network is drawn beside it, unless its picture is there; where Matplotlib is not installed, the card has none.

    Raises:
        UsageError: there is a card already, which may have been edited, and `overwrite` does not say to replace it.
        RunError: the run is not complete; the hint says what is missing.
        BusyError: another process works on the run.
        DiskError, MachineError: it cannot be written.
    """
    place = run if output is None else Run(output)
    if place.has(place.card) and not overwrite:
        raise UsageError(f"there is a {place.card} already", "--overwrite replaces it, and what was written into it")
    lock = own(run) if output is None else None
    try:
        metrics = run.read_evaluation()
        config, classes = run.read_config(), run.read_classes()
        plan = plan_of(config, len(classes), run.config, run.checked(run.keras_model))
        pictures = {}
        if place.has(place.network) or _draw(place, plan, run.title):
            pictures[NETWORK] = place.network.name
        if output is None and run.has(run.plots / _MATRIX):
            pictures[CONFUSION] = f"{run.plots.name}/{_MATRIX}"
        try:
            text = head(run.title, config, metrics, _frameworks(run)) + "\n"
            text += body(run, run.title, config, plan, metrics, pictures)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            what = f"{run.metrics.name} or {run.environment.name} of {run.path} does not hold what cnnctl writes"
            raise RunError(f"{what}: {error!r}", "cnnctl evaluate writes metrics.json again") from error
        place.write_text(place.card, text)
    finally:
        if lock is not None:
            lock.release(remove=True)
    return place.card


def _draw(place: Run, plan: Any, title: str) -> bool:
    """Draw the network, if that can be done here."""
    if not is_installed("matplotlib"):
        return False
    from cnnctl.pictures import style
    from cnnctl.pictures.network import network_figure

    with style.drawing():
        place.write_bytes(place.network, style.png(network_figure(plan, title)))
    return True


def _frameworks(run: Run) -> list[str]:
    return [name for path, name in ((run.keras_model, "keras"), (run.onnx_model, "onnx")) if run.has(path)]

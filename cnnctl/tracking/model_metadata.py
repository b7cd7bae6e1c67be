"""What trackers keep beside the model of a run."""

from typing import Any

from cnnctl.runs import Run
from cnnctl.version import __version__


def model_metadata(run: Run) -> dict[str, Any]:
    """The classes of a run's model, with their thresholds where an image may have several."""
    thresholds = run.read_json(run.thresholds)["classes"] if run.has(run.thresholds) else None
    more = {} if thresholds is None else {"thresholds": {name: one["threshold"] for name, one in thresholds.items()}}
    return {"cnnctl": __version__, "classes": list(run.read_classes()), **more}

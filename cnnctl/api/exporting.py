"""`cnnctl.export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.api.guests import hosted
from cnnctl.api.runs import AnyRun, find
from cnnctl.api.shown import Shown
from cnnctl.exporting import export as exporting
from cnnctl.exporting.parity import Parity
from cnnctl.system.files import absolute
from cnnctl.system.watcher import Watcher


@dataclass(frozen=True, repr=False)
class ExportedModel(Shown):
    """The model of a run as a file for another runtime. Its text is what `export` prints."""

    _found: exporting.Exported

    @property
    def path(self) -> Path:
        """The file, absolute; OpenVINO and SavedModel are folders. PATH.json beside it says how to use it."""
        return absolute(self._found.path)

    @property
    def size(self) -> int:
        """Bytes."""
        return self._found.size

    @property
    def parity(self) -> Parity:
        """How alike its answers are: `images`, `largest_difference`, `equal_answers`, `accuracy` ..."""
        return self._found.parity

    def to_dict(self) -> dict[str, Any]:
        """What `export --json` prints."""
        return dict(self._found.content)

    def _show(self) -> None:
        from cnnctl.terminal.files import print_exported

        print_exported(self._found)

    def __repr__(self) -> str:
        return f"<ExportedModel {self.path}: {self.size:,} bytes>"


def export(
    run: AnyRun = None,
    form: str = "onnx",
    *,
    quantize: str | None = None,
    output: str | Path | None = None,
    max_accuracy_drop: float | None = None,
    progress: bool | Watcher | None = None,
) -> ExportedModel:
    """Write the model of a run for another runtime, and check there that it gives the same predictions.

    Args:
        run: A run; the latest of the current folder when left out.
        form: `onnx`, `litert`, `openvino` or `savedmodel`.
        quantize: `float16` or `int8`; not for savedmodel.
        output: The file to write; named after the run, in the current folder, when left out.
        max_accuracy_drop: Percentage points of accuracy that int8 may lose; 1 when left out.
        progress: True prints to stderr how far it is; or a watcher that is told. When
            left out, a notebook shows a bar, and nothing is printed elsewhere.

    Raises:
        UsageError: there is no such format, or something is there already.
        RunError: there is no such run, it has no model, or the exported one is not the same.
        DataError: an image of the run is gone or damaged.
        MachineError: a package is missing, or the file cannot be written.
        BusyError: this process is training already.

    Example: `export("runs/photos/1", "litert", quantize="int8").size`
    """
    wish = exporting.parse_wish(form, quantize, None if output is None else Path(output), max_accuracy_drop)
    found = find(run)
    with hosted("exporting", progress) as (watcher, _):
        return ExportedModel(exporting.export(found, wish, watcher))

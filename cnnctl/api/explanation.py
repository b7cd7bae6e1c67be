"""`cnnctl.explain` and `cnnctl.explain_numbers`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.api.guests import hosted
from cnnctl.api.runs import AnyRun, find
from cnnctl.api.shown import Picture, Shown
from cnnctl.errors import UsageError
from cnnctl.explaining.activation_maps import GRAD_CAM, insist_on_method
from cnnctl.explaining.explain import ExplainRequest, parse_place, parse_unit
from cnnctl.explaining.folder import Explained, check_folder, default_folder, explain_into
from cnnctl.explaining.numbers import Numbers, numbers_of_run
from cnnctl.inference.answers import Prediction
from cnnctl.models.of_run import run_plan
from cnnctl.system.files import absolute


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """What a network sees in an image. Its text is what `explain` prints; a notebook shows the pictures too."""

    _found: Explained

    @property
    def prediction(self) -> Prediction:
        """What the network says of the image."""
        return self._found.found.prediction(self._found.classes, self._found.foreign)

    @property
    def page(self) -> Path:
        """The page with all pictures, an HTML file that loads nothing."""
        return absolute(self._found.page)

    @property
    def pictures(self) -> Mapping[str, Path]:
        """The pictures, each a PNG file, by names such as `grad-cam` and `receptive-field`."""
        return {file.stem: absolute(file) for file, _ in self._found.pictures}

    def to_dict(self) -> dict[str, Any]:
        """What `explain --json` prints."""
        from cnnctl.terminal.files import explanation_json

        return explanation_json(self._found)

    def _show(self) -> None:
        from cnnctl.terminal.files import print_explanation

        print_explanation(self._found)

    def _pictures(self) -> Iterable[Picture]:
        """Those of the whole network; those of single layers are in the page."""
        for file, title in self._found.pictures:
            if not file.stem.startswith("maps-") and file.is_file():
                yield title, file.read_bytes()

    def __repr__(self) -> str:
        return f"<Explanation of {self._found.found.path}: {self.prediction.label}, in {self.page.parent}>"


@dataclass(frozen=True, repr=False)
class ImageNumbers(Shown):
    """The arithmetic of an image in a network. Its text is what `explain --numbers` prints."""

    _found: Numbers

    def to_dict(self) -> dict[str, Any]:
        """What `explain --numbers --json` prints."""
        from cnnctl.terminal.numbers_json import numbers_json

        return numbers_json(self._found)

    def _show(self) -> None:
        from cnnctl.terminal.numbers import print_numbers

        print_numbers(self._found)

    def __repr__(self) -> str:
        return f"<ImageNumbers of {self._found.path}: {len(self._found.layers)} layers>"


def explain(
    image: str | Path,
    run: AnyRun = None,
    *,
    output: str | Path | None = None,
    top: int = 3,
    method: str = GRAD_CAM,
    unit: str | None = None,
) -> Explanation:
    """Draw what a network sees in an image: Grad-CAM, kernels, feature maps and a receptive field. Needs Keras.

    Args:
        image: An image file.
        run: A run; the latest of the current folder when left out.
        output: The folder to write; FOLDER-IMAGE-explained in the current folder when left out.
        top: How many of the most probable classes get a map.
        method: `grad-cam`, or `hires-cam`, which is more faithful where a flatten follows the convolutions.
        unit: The unit whose receptive field is drawn, `LAYER:ROW,COLUMN`; the strongest one when left out.

    Raises:
        UsageError: there is no such method or unit, or the folder holds something else.
        DataError: the image cannot be read.
        RunError: there is no such run, or it has no model.
        MachineError: the folder cannot be written, or Keras is missing.
        BusyError: this process is training already.

    Example: `explain("cat.jpg", "runs/photos/1").pictures["grad-cam"]`
    """
    insist_on_method(method)
    if top < 1:
        raise UsageError(f"expected at least one class to draw; received: top={top}")
    path = Path(image)
    folder = Path(default_folder(path) if output is None else output)
    check_folder(folder)
    found = find(run)
    seen = None if unit is None else parse_unit(unit, run_plan(found))
    with hosted("explaining an image"):
        return Explanation(explain_into(folder, found, path, ExplainRequest(top, method, seen)))


def explain_numbers(
    image: str | Path, run: AnyRun = None, *, unit: str | None = None, label: str | None = None
) -> ImageNumbers:
    """The arithmetic of one unit, of the output, and of one step of gradient descent. Needs Keras for backbones alone.

    Args:
        image: An image file.
        run: A run; the latest of the current folder when left out.
        unit: `LAYER:ROW,COLUMN`, `LAYER:ROW,COLUMN,CHANNEL` or `LAYER:UNIT`; the strongest of the first layer when
            left out.
        label: The true class; the name of the image's folder, or the prediction, when left out.

    Raises:
        UsageError: there is no such unit or class.
        DataError: the image cannot be read.
        RunError: there is no such run, or it has no model.
        BusyError: this process is training already.

    Example: `explain_numbers("cat.jpg", unit="conv2d:0,3,12").to_dict()["numbers"]["unit"]["value"]`
    """
    found = find(run)
    place = None if unit is None else parse_place(unit, run_plan(found))
    with hosted("explaining an image"):
        return ImageNumbers(numbers_of_run(found, Path(image), place, label))

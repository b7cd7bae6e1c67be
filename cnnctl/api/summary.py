"""`cnnctl.summarize`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.api.configs import Source
from cnnctl.api.shown import Shown
from cnnctl.architecture import LayerPlan
from cnnctl.config.load import load_values
from cnnctl.errors import UsageError
from cnnctl.network_source import CONFIG_SUFFIXES, Subject, find_subject, subject_of
from cnnctl.system.files import is_folder


@dataclass(frozen=True, repr=False)
class Summary(Shown):
    """A network as a plan: shapes and costs, without anything being trained.

    Its text is the table of `summary`, without types that the names of the layers say already.
    """

    subject: Subject

    @property
    def name(self) -> str:
        """Of the config, the run or the file."""
        return self.subject.name

    @property
    def layers(self) -> tuple[LayerPlan, ...]:
        """Each with its `name`, `kind`, `output_shape`, `params` and `multiply_adds`; the output layer is the last."""
        return self.subject.plan.layers

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(height, width, channels)."""
        return self.subject.plan.input_shape

    @property
    def total_params(self) -> int:
        """How many parameters the network has."""
        return self.subject.plan.total_params

    @property
    def trainable_params(self) -> int:
        """How many of them training changes."""
        return self.subject.plan.trainable_params

    @property
    def multiply_adds(self) -> int:
        """Multiplications with their additions for one image."""
        return self.subject.plan.multiply_adds

    def to_dict(self, formulas: bool = False) -> dict[str, Any]:
        """What `summary --json` prints; with the arithmetic of each layer, where `formulas` are asked for."""
        from cnnctl.terminal.summary import to_json

        return to_json(self.subject, formulas)

    def _show(self) -> None:
        from cnnctl.terminal.summary import print_summary

        print_summary(self.subject, with_formulas=False, brief=True)

    def __repr__(self) -> str:
        return f"<Summary of {self.name}: {len(self.layers)} layers, {self.total_params:,} parameters>"


def summarize(source: Source, overrides: Mapping[str, Any] | None = None, *, classes: int | None = None) -> Summary:
    """The layers of a network with their shapes, parameters and costs; imports neither Keras nor TensorFlow.

    Args:
        source: A config, a run directory or a .keras file.
        overrides: Of a config, as `load_config` takes them.
        classes: How many, where the data of a config is not there to tell.

    Raises:
        ConfigError: the config is wrong, or its shapes are impossible.
        DataError: nothing tells how many classes there are.
        RunError: the run or the file cannot be read.

    Example: `summarize("photos.yaml", classes=3).total_params`
    """
    given = {**(overrides or {}), **({} if classes is None else {"classes": classes})}
    if isinstance(source, str | Path) and Path(source).suffix not in CONFIG_SUFFIXES:
        path = Path(source)
        if is_folder(path) or path.suffix == ".keras":
            if given:
                raise UsageError(f"{path} is not a config: it has no keys to override")
            return Summary(find_subject(path, ()))
    return Summary(subject_of(load_values(source, given)))

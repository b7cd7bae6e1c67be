"""`cnnctl.init_config`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cnnctl.api.shown import Shown
from cnnctl.errors import Notice, UsageError
from cnnctl.init.write import copy_example, write_config
from cnnctl.ready import EXAMPLES
from cnnctl.system.files import absolute


@dataclass(frozen=True, repr=False)
class NewConfig(Shown):
    """A config that was written. Its text is what `init` prints.

    Attributes:
        path: The file, absolute.
        reasons: Why the settings were chosen, by what was chosen; none of a ready config.
        warnings: What is odd of the images.
    """

    path: Path
    _print: Callable[[], None]
    reasons: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()

    def _show(self) -> None:
        self._print()

    def __repr__(self) -> str:
        return f"<NewConfig {self.path}>"


def init_config(
    data: str | Path | None = None,
    output: str | Path | None = None,
    *,
    example: str | None = None,
    columns: tuple[str, str] | None = None,
    folder: str | Path | None = None,
    folders_are_classes: bool = False,
    backbone: str | None = None,
    from_scratch: bool = False,
) -> NewConfig:
    """Write a config for images, with comments that explain it, or copy a ready one; nothing is overwritten.

    Args:
        data: A folder with one folder for each class, a folder with train/ and test/, or a CSV file.
        output: The file to write; NAME.yaml in the current folder when left out.
        example: The name of a ready config, such as `digits`, in place of `data`.
        columns: The columns of a CSV: file names and labels; found by looking when left out.
        folder: What the file names of a CSV are relative to; found by looking when left out.
        folders_are_classes: Take folders named like splits, such as train/, for classes.
        backbone: A pretrained network to begin with; when left out, one whose weights are here, if it suits the images.
        from_scratch: Begin with none.

    Raises:
        UsageError: something is there already, or there is no such example.
        DataError: the images are of no use.
        MachineError: the file cannot be written.

    Example: `train(init_config("photos").path)`
    """
    from cnnctl.terminal.files import print_copied, print_written

    to = None if output is None else Path(output)
    if (data is None) == (example is None):
        hint = f"name a folder of images, or a ready config: {', '.join(EXAMPLES)}"
        raise UsageError("init_config needs either data or example", hint)
    if example is not None:
        if columns is not None or folder is not None:
            raise UsageError("columns and folder are for a CSV file, not for an example", "leave them out")
        ready, path = copy_example(example, to)
        return NewConfig(absolute(path), partial(print_copied, ready, path))
    place = None if folder is None else Path(folder)
    seen, choices, path = write_config(str(data), to, columns, place, folders_are_classes, backbone, from_scratch)
    return NewConfig(absolute(path), partial(print_written, seen, choices, path), choices.reasons, seen.notices)

"""The file of a new config."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.errors import MachineError, UsageError
from cnnctl.formatting import printable
from cnnctl.init.examples import Example, read_example
from cnnctl.system.files import exists
from cnnctl.system.outputs import write_output

if TYPE_CHECKING:
    from cnnctl.init.choose import Choices
    from cnnctl.init.look import DatasetSummary


def write_config(
    data: str,
    output: Path | None,
    columns: tuple[str, str] | None = None,
    folder: Path | None = None,
    folders_are_classes: bool = False,
    backbone: str | None = None,
    from_scratch: bool = False,
) -> "tuple[DatasetSummary, Choices, Path]":
    """Write a config for images; what was seen of them, what was chosen, and where the config lies.

    It is `NAME.yaml` in the current folder where `output` is None. `columns`, `folder` and
    `folders_are_classes` are as in `look`. A pretrained network is chosen where it suits the images and its weights are
    here; `backbone` names one, and with `from_scratch` there is none.

    Raises:
        UsageError: it cannot go there, or something is there already.
        CnnctlError: the images are of no use; it cannot be written.
    """
    from cnnctl.init.choose import (
        Backbones,
        choose,
    )  # looking at images takes long to import: copy_example must not wait for it
    from cnnctl.init.compose import compose, run_name
    from cnnctl.init.look import look
    from cnnctl.weights.find import those_here
    from cnnctl.weights.published import network_of

    if backbone is not None:
        network_of(backbone)
    if backbone is not None and from_scratch:
        raise UsageError("--backbone and --from-scratch exclude each other", "leave one of them out")
    name = run_name(data)
    path = output or Path(f"{name}.yaml")
    _refuse(path)
    seen = look(data, columns, folder, folders_are_classes)
    choices = choose(seen, Backbones(those_here(), backbone, from_scratch))
    _write(path, compose(seen, choices, name, path.parent))
    return seen, choices, path


def copy_example(name: str, output: Path | None) -> tuple[Example, Path]:
    """Write a ready config; it and where it lies.

    Raises:
        UsageError: there is none of that name; else as `write_config`.
    """
    example = read_example(name)
    path = output or Path(f"{name}.yaml")
    _refuse(path)
    _write(path, example.text)
    return example, path


def _refuse(path: Path) -> None:
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"a config is a YAML file; received: --output {printable(str(path))}", "use the ending .yaml")
    if exists(path):
        hint = "choose another file with --output CONFIG, or remove this one"
        raise UsageError(f"{printable(str(path))} already exists; init overwrites nothing", hint)


def _write(path: Path, text: str) -> None:
    try:
        write_output(path, text)
    except MachineError as error:
        raise MachineError(error.message, "choose another file with --output CONFIG") from None

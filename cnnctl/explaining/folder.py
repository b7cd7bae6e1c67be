"""The explanation of an image file as a folder: pictures and a page."""

import re
from dataclasses import dataclass
from pathlib import Path

from cnnctl.errors import MachineError, UsageError
from cnnctl.explaining.explain import ExplainRequest, Explanation, explain, given_and_answered
from cnnctl.explaining.sections import Section, make_sections, page
from cnnctl.formatting import printable
from cnnctl.inference.unknown import Foreignness
from cnnctl.models.backend import choose_backend, import_keras_on_the_processor
from cnnctl.models.of_run import load_network
from cnnctl.runs import Run
from cnnctl.system import files

PAGE = "explanation.html"
_PICTURE = re.compile(r"(?:maps-[0-9]{2,}-[\w.\-]+|probabilities|grad-cam|hires-cam|kernels|receptive-field)\.png")
_LONGEST_NAME = 150
_HINT = "choose another folder with --output DIR"


@dataclass(frozen=True)
class Explained:
    """An explanation and where it lies; `pictures` are (file, title) in the page's order.

    `foreign` says how unlike the training images the image is, where the run knows that.
    """

    found: Explanation
    classes: tuple[str, ...]
    pictures: tuple[tuple[Path, str], ...]
    page: Path
    foreign: Foreignness | None = None


def default_folder(image: Path) -> str:
    """`cat-0001-explained` for cat/0001.png: data sets have the same names in every class."""
    parts = [part for part in (image.parent.name, image.stem) if part not in ("", "..")]
    name = "-".join(parts).encode("utf-8", "surrogateescape")[:_LONGEST_NAME].decode("utf-8", "surrogateescape")
    return f"{name}-explained"


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but an explanation, or what is left of one that was interrupted.

    Raises:
        UsageError: it does.
        MachineError: it cannot be looked into.
    """
    shown = printable(str(folder))
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{shown} is a file, not a folder", _HINT)
        if folder.is_dir() and not all(_is_ours(child.name) for child in folder.iterdir()):
            raise UsageError(f"{shown} is not empty and has no explanation in it", _HINT)
    except OSError as error:
        raise MachineError(f"{shown} cannot be used: {error.strerror}", _HINT) from None


def explain_into(folder: Path, run: Run, image: Path, wish: ExplainRequest) -> Explained:
    """Explain an image file, and write the pictures and the page.

    Raises:
        DataError: the image cannot be read.
        RunError: the run has no model, or two that differ.
        MachineError: the folder cannot be written.
    """
    answered = given_and_answered(run, image)
    import_keras_on_the_processor(choose_backend("auto"))
    network = load_network(run)
    found = explain(network, answered.image, str(image), answered.probabilities, wish, answered.thresholds)

    sections = make_sections(found, network, run.title)
    _write(folder, sections, page(found, sections, network, run.title))
    pictures = tuple((folder / shown.file, shown.title) for section in sections for shown in section.pictures)
    return Explained(found, network.classes, pictures, folder / PAGE, answered.foreign)


def _write(folder: Path, sections: list[Section], text: str) -> None:
    """The pictures, then the page; pictures of an earlier explanation are taken away last."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = {PAGE}
        for section in sections:
            for shown in section.pictures:
                files.write_bytes(folder / shown.file, shown.content)
                kept.add(shown.file)
        files.write_text(folder / PAGE, text)
        for old in folder.iterdir():
            if old.name not in kept and _is_ours(old.name):
                old.unlink()
    except MachineError as error:
        raise MachineError(error.message, _HINT) from None
    except OSError as error:
        raise MachineError(f"{printable(str(folder))} cannot be written: {error.strerror}", _HINT) from None


def _is_ours(name: str) -> bool:
    return name == PAGE or _PICTURE.fullmatch(name) is not None or files.is_aside(Path(name))

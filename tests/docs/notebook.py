"""docs/notebook.ipynb: its cells run in a kernel of their own, in an empty folder.

python -m tests.docs.notebook    run it and write its outputs into the page
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from tests.conftest import CONFIGS

PAGE = CONFIGS.parent / "docs" / "notebook.ipynb"
_HOME = "/home/ada"
"""The folder that the outputs on the page name, whichever it was."""
_SECONDS = 600


@contextmanager
def kernel(folder: Path) -> Iterator[Any]:
    """The notebook of the page with a kernel in a folder, as nbclient's client; the outputs go into its `nb`."""
    import nbformat
    from nbclient import NotebookClient

    paths = os.pathsep.join([str(CONFIGS.parent), os.environ.get("PYTHONPATH", "")])
    with mock.patch.dict(os.environ, {"PYTHONPATH": paths, "JUPYTER_PLATFORM_DIRS": "1"}):
        page = nbformat.read(PAGE, as_version=4)
        client = NotebookClient(page, timeout=_SECONDS, resources={"metadata": {"path": str(folder)}})
        with client.setup_kernel():
            yield client


def run_cells(client: Any) -> None:
    """Run all cells.

    Raises:
        CellExecutionError: one has failed.
    """
    for number, cell in enumerate(client.nb.cells):
        client.execute_cell(cell, number)


def write() -> None:
    """Run the page and bring its outputs up to date."""
    import nbformat

    with tempfile.TemporaryDirectory() as folder:
        with kernel(Path(folder)) as client:
            run_cells(client)
        for cell in client.nb.cells:
            cell.metadata.pop("execution", None)  # the times of its messages
        text = nbformat.writes(client.nb).replace(str(Path(folder).resolve()), _HOME)
    PAGE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()

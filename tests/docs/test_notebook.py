"""The notebook of the docs runs as it stands: a bar, tables, pictures, and a stop button that keeps the run."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.notebook import PAGE, kernel, run_cells

LONG = 'cnnctl.train("digits.yaml", {"train.epochs": 100_000}, output="long")'
_SECONDS = 300


def outputs(cell: Any) -> str:
    """The HTML of a code cell."""
    return "\n".join("".join(one["data"].get("text/html", "")) for one in cell["outputs"] if "data" in one)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page after all its cells, with its kernel."""
    folder = tmp_path_factory.mktemp("notebook")
    with kernel(folder) as client:
        client.folder = folder
        run_cells(client)
        yield client


def test_every_cell_shows_what_the_page_says(client: Any) -> None:
    summary, training, evaluation, predictions, prediction, picture, comparison = (
        outputs(cell) for cell in client.nb.cells if cell["cell_type"] == "code"
    )
    assert "151,306" in summary
    assert "best" in training
    assert "<progress" not in training, "the bar goes when all is done"
    assert training.count("<img ") == 2
    assert evaluation.count("<img ") == 2
    assert re.search(r"right on [\d,]+ of 359 test images", evaluation)
    assert predictions.count("<img ") == 4
    assert re.search(r"<b>\d</b> \(\d", prediction)
    assert picture == ""
    assert comparison.count("<img ") == 1
    assert "McNemar" in comparison


def test_the_page_was_run_and_names_no_folder_of_a_machine() -> None:
    cells = json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
    assert all(cell["outputs"] for cell in cells if cell["cell_type"] == "code")
    said = "".join(outputs(cell) for cell in cells if cell["cell_type"] == "code")
    assert {place.split("/")[1] for place in re.findall(r"(?<=[\s>])/[\w./-]+", said)} == {"home"}
    assert PAGE.stat().st_size < 1_000_000


def test_the_stop_button_keeps_the_run(client: Any) -> None:
    from nbclient.exceptions import CellExecutionError
    from nbformat.v4 import new_code_cell

    def run(code: str) -> Any:
        client.nb.cells.append(cell := new_code_cell(code))
        client.execute_cell(cell, len(client.nb.cells) - 1)
        return cell

    def stop() -> None:
        history, end = client.folder / "long" / "history.csv", time.monotonic() + _SECONDS
        while not history.is_file() and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(client.km.provisioner.pid, signal.SIGINT)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(CellExecutionError, match="InterruptedTrainingError"):
        run(LONG)
    stopper.join()
    bar = outputs(client.nb.cells[-1])
    assert "training 1,169 images, 100000 epochs, into long" in bar
    shown = outputs(run('cnnctl.open_run("long")'))
    assert "unfinished" in shown
    assert re.search(r"\d+ of 100,000", shown)
    assert Path(client.folder / "long" / "checkpoints").is_dir()

"""Which pictures are written: whole, with nothing cut off, the same for the same figures, for any names."""

import numpy as np
import pytest

from cnnctl.data.decoder.headers import image_format, is_truncated
from cnnctl.data.decoder.images import upright
from cnnctl.errors import RunError
from cnnctl.evaluation.plots.write import write_curves, write_plots
from cnnctl.runs import Run
from cnnctl.system import files
from tests.evaluation.plots.build import ODD, made_up, numbered

ALWAYS = {"confusion_matrix.png", "confusion_matrix_normalised.png", "f1.png", "mistakes.png", "reliability.png"}

JUDGED = {
    "2 classes": (made_up(("cat", "dog")), {"roc.png", "precision_recall.png"}),
    "2 classes, one without images": (made_up(("cat", "dog"), absent=0), set()),
    "one image": (made_up(("cat", "dog", "fox"), images=1), set()),
    "10 digits": (made_up(tuple("0123456789")), set()),
    "100 classes": (made_up(numbered(100)), set()),
    "odd names": (made_up(ODD, title="odd $1 and $2, test images of $\\frac{$ \udcff🐈\n" * 9, absent=5), set()),
    "odd names of two": (made_up(("$\\frac{$" * 30, "🐈\n\udcff" * 30)), {"roc.png", "precision_recall.png"}),
}


@pytest.mark.parametrize(("scored", "more"), JUDGED.values(), ids=JUDGED)
def test_every_picture_is_whole(scored, more, tmp_path):
    write_plots(Run(tmp_path), tmp_path / "plots", scored)
    found = {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    assert set(found) == ALWAYS | more
    for name, content in found.items():
        assert image_format(content) == "PNG"
        assert not is_truncated(content, "PNG")
        pixels = upright(content)[:, :, :3]
        edges = (pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:])
        assert all((edge == 255).all() for edge in edges), name  # nothing is cut off
        assert len(np.unique(pixels[:, :, 0])) > 20, name


def test_equal_figures_give_equal_pictures(tmp_path):
    for place in ("first", "again"):
        write_plots(Run(tmp_path), tmp_path / place, made_up(("cat", "dog")))
    write_plots(Run(tmp_path), tmp_path / "other", made_up(("cat", "cow")))
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    assert (tmp_path / "first" / "f1.png").read_bytes() != (tmp_path / "other" / "f1.png").read_bytes()


def test_the_curves_are_written_into_the_run(tmp_path):
    run = Run(tmp_path / "digits" / "3")
    files.write_csv(run.history, ("epoch", "accuracy", "loss", "learning_rate"), [(1, 0.5, 1.2, 0.001)])
    write_curves(run, 1, 1)
    assert image_format((run.plots / "curves.png").read_bytes()) == "PNG"


def test_a_disk_that_refuses_is_an_error(tmp_path):
    (tmp_path / "plots" / "f1.png").mkdir(parents=True)
    with pytest.raises(RunError, match=r"f1\.png is a folder, not a file"):
        write_plots(Run(tmp_path), tmp_path / "plots", made_up(("cat", "dog")))

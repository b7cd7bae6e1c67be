"""Event files, read back by TensorBoard."""

import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.plugins.hparams import api_pb2, metadata

from cnnctl.tracking.events import Outcome
from cnnctl.tracking.tensorboard import TensorBoard
from cnnctl.tracking.tracker import finished
from tests.images import picture
from tests.tracking.build import SEVENTH, accumulated, beginning, complete_run, figures, points


@pytest.fixture
def plot(tmp_path: Path) -> bytes:
    picture(30, 50).save(tmp_path / "plot.png")
    return (tmp_path / "plot.png").read_bytes()


def told(folder: Path, *before: int, then: tuple[int, ...]) -> TensorBoard:
    """A tracker that was told of the epochs `then`, and not of an end."""
    tracker = TensorBoard()
    tracker.begin(beginning(folder, *before))
    for number in then:
        tracker.epoch(number, figures(number))
    return tracker


def test_curves_have_the_tags_and_steps_of_keras(tmp_path: Path) -> None:
    told(tmp_path, then=(1, 2, 3)).end(Outcome("finished", 2, {"test": {"accuracy": 0.75, "roc_auc": 0.5}}))
    board = tmp_path / "tensorboard"
    assert points(board / "train") == {
        "epoch_accuracy": [(0, 0.25), (1, 0.5), (2, 0.75)],
        "epoch_loss": [(0, 0.5), (1, 0.25), (2, 0.125)],
        "epoch_learning_rate": [(0, 0.5), (1, 0.5), (2, 0.5)],
    }
    assert points(board / "validation") == {
        "epoch_accuracy": [(0, 0.125), (1, 0.25), (2, 0.375)],
        "epoch_loss": [(0, 1.0), (1, 0.5), (2, 0.25)],
    }
    assert points(board / "test") == {"epoch_accuracy": [(1, 0.75)], "roc_auc": [(1, 0.5)]}


def test_without_validation_there_is_no_empty_run(tmp_path: Path) -> None:
    tracker = TensorBoard()
    tracker.begin(beginning(tmp_path))
    tracker.epoch(1, {"loss": 1.0})
    tracker.end(Outcome("failed"))
    assert sorted(path.name for path in (tmp_path / "tensorboard").iterdir() if path.is_dir()) == ["train"]


def test_plots_are_images_and_settings_are_hparams(tmp_path: Path, plot: bytes) -> None:
    run = complete_run(tmp_path, plot)
    told(tmp_path, then=(1, 2)).end(finished(run, SEVENTH, 1))
    root = accumulated(tmp_path / "tensorboard")
    (image,) = root.Tensors("plots/curves")
    assert image.step == 1
    assert list(image.tensor_proto.string_val) == [b"50", b"30", plot]
    assert root.SummaryMetadata("plots/curves").plugin_data.plugin_name == "images"
    kept = root.PluginTagToContent("hparams")
    start = metadata.parse_session_start_info_plugin_data(kept["_hparams_/session_start_info"])
    assert start.hparams["train.optimizer.adam.learning_rate"].number_value == 0.001
    assert start.hparams["model[0].conv2d.filters"].number_value == 32
    assert start.hparams["train.schedule"].string_value == "constant"
    assert start.hparams["model[0].conv2d.use_bias"].bool_value is True
    assert start.hparams["train.ema"].string_value == "none"
    end = metadata.parse_session_end_info_plugin_data(kept["_hparams_/session_end_info"])
    assert end.status == api_pb2.STATUS_SUCCESS
    assert points(tmp_path / "tensorboard" / "test") == {"epoch_accuracy": [(0, 0.75)], "epoch_loss": [(0, 0.5)]}


@pytest.mark.parametrize("status", ["failed", "killed"])
def test_what_went_wrong_is_a_failure(status: str, tmp_path: Path) -> None:
    told(tmp_path, then=()).end(Outcome(status))
    kept = accumulated(tmp_path / "tensorboard").PluginTagToContent("hparams")
    end = metadata.parse_session_end_info_plugin_data(kept["_hparams_/session_end_info"])
    assert end.status == api_pb2.STATUS_FAILURE


def test_going_on_doubles_no_step_and_keeps_the_times(tmp_path: Path) -> None:
    train = tmp_path / "tensorboard" / "train"
    told(tmp_path, then=(1, 2, 3))  # killed; the checkpoint of epoch 3 is damaged, and epoch 3 turns out otherwise
    (first,) = train.iterdir()
    before = [event.wall_time for event in accumulated(train).Tensors("epoch_loss")]
    tracker = told(tmp_path, 1, 2, then=())
    tracker.epoch(3, {**figures(3), "loss": 8.0})
    tracker.end(Outcome("finished", 1))
    (second,) = train.iterdir()
    assert second.name != first.name
    after = accumulated(train).Tensors("epoch_loss")
    assert points(train)["epoch_loss"] == [(0, 0.5), (1, 0.25), (2, 8.0)]
    assert [event.wall_time for event in after][:2] == before[:2]
    assert after[2].wall_time > before[2]


def test_what_was_not_told_before_is_caught_up_with(tmp_path: Path) -> None:
    """The process was killed between a checkpoint and its event, or while it wrote one."""
    told(tmp_path, then=(1, 2))
    (path,) = (tmp_path / "tensorboard" / "train").iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    told(tmp_path, 1, 2, 3, then=(4,)).end(Outcome("finished", 1))
    found = points(tmp_path / "tensorboard" / "train")
    assert {tag: [step for step, _ in curve] for tag, curve in found.items()} == {
        "epoch_accuracy": [0, 1, 2, 3],
        "epoch_loss": [0, 1, 2, 3],
        "epoch_learning_rate": [0, 1, 2, 3],
    }


def test_more_epochs_leave_one_point_of_the_test_images(tmp_path: Path) -> None:
    told(tmp_path, then=(1,)).end(Outcome("finished", 1, {"test": {"loss": 1.0}}))
    told(tmp_path, 1, then=(2, 3)).end(Outcome("finished", 3, {"test": {"loss": 0.5}}))
    assert points(tmp_path / "tensorboard" / "test") == {"epoch_loss": [(2, 0.5)]}


def test_it_needs_no_tensorflow(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.tracking.test_tensorboard import *\n"
        "told(Path(sys.argv[1]), then=(1, 2)); told(Path(sys.argv[1]), 1, then=(2,)).end(Outcome('killed'))\n"
        "print({'tensorflow', 'keras', 'jax'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "set()\n", "")
    assert len(points(tmp_path / "tensorboard" / "train")["epoch_loss"]) == 2

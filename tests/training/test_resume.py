"""Resuming a run: to the same weights, or not at all."""

import errno
import hashlib
import json
import os
import re
import shutil
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

from cnnctl.config import load
from cnnctl.config.dump import to_plain
from cnnctl.errors import (
    BusyError,
    DataError,
    DiskError,
    DivergedError,
    InterruptedTrainingError,
    MachineError,
    RunError,
    UsageError,
)
from cnnctl.runs import Run
from cnnctl.runs.checkpoints import newest
from cnnctl.runs.directory import own, sweep
from cnnctl.training import fit, phases, train
from cnnctl.training.resume import take_up
from tests.training.build import SMALL, Listener, train_here

CONFIG = """\
seed: 5
data: {{train: {photos}, validation: 0.25, image: {{size: 12, scaling: standardize}}}}
augment: [random_flip: {{mode: horizontal}}, random_rotation: {{factor: 0.1}}, mix_up]
output: {{use_bias: false}}
model:
  - conv2d: {{filters: 6, kernel_size: 2, kernel_initializer: whitening, trainable: false}}
  - conv2d: {{filters: 8, kernel_size: 3, strides: 2, use_bias: false, kernel_initializer: dirac}}
  - batch_normalization: {{momentum: 0.5}}
  - activation: {{activation: relu}}
  - dropout: {{rate: 0.3}}
  - flatten
  - rescaling: {{scale: 0.5}}
train:
  epochs: 5
  batch_size: 8
  optimizer: {{adamw: {{learning_rate: 0.02}}}}
  schedule: {schedule}
  label_smoothing: 0.1
  early_stopping: {{monitor: val_loss, patience: 9}}
  ema: 0.8
  precision: {precision}
  device: cpu
"""
PLATEAU = "{reduce_on_plateau: {factor: 0.5, patience: 0, monitor: loss}}"


def quiet(text: str) -> None:
    """Nobody reads it."""


def weights_hash(run: Path) -> str:
    """Of the weights in model.keras: the file itself has times and names in it."""
    state = hashlib.blake2b()
    for array in import_module("keras").saving.load_model(run / "model.keras").get_weights():
        state.update(array.tobytes())
    return state.hexdigest()


def assert_same(one: Path, other: Path) -> None:
    for name in ("history.csv", "split.csv", "metrics.json", "predictions.csv", "unknown.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert weights_hash(one) == weights_hash(other)


def stop(text: str, *assignments: str, after: int, output: str = "part", resume: bool = False) -> None:
    """Train until an epoch is over, and stop in the next one."""
    with pytest.raises(InterruptedTrainingError):
        train_here(text, *assignments, output=Path(output), watcher=Listener(stops_after=after), resume=resume)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def text(small_photos):
    return SMALL.format(photos=small_photos)


@pytest.fixture(scope="module")
def whole(text, tmp_path_factory, keras):
    """SMALL with four epochs, never interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        return train_here(text, "train.epochs=4", output=Path("whole")).run.path.absolute()


@pytest.mark.parametrize(
    ("precision", "schedule"),
    [("float32", PLATEAU), ("float32", "one_cycle"), ("mixed_bfloat16", PLATEAU), ("mixed_float16", "constant")],
)
def test_interrupted_or_not_the_weights_and_the_history_are_the_same(precision, schedule, here, small_photos):
    text = CONFIG.format(photos=small_photos, precision=precision, schedule=schedule)
    whole = train_here(text, output=Path("whole")).run.path
    stop(text, after=1, resume=True)
    stop(text, after=3, resume=True)
    listener = Listener()
    trained = train_here(text, output=Path("part"), watcher=listener, resume=True)
    assert_same(whole, trained.run.path)
    assert [epoch.number for epoch in listener.epochs] == [4, 5]
    assert f"resuming after epoch 3 of 5, in {Path('part')}" in listener.notes
    assert json.loads(trained.run.environment.read_text())["resumed_after_epoch"] == 3
    assert sorted(os.listdir("part/checkpoints")) == ["digests.bin", "epoch-0004.npz", "epoch-0005.npz"]


def test_slow_weights_are_resumed(here, small_photos):
    text = CONFIG.format(photos=small_photos, precision="float32", schedule="one_cycle")
    text = text.replace("ema: 0.8", "lookahead: {every: 3, decay: 0.9, power: 0}").replace(
        "adamw: {learning_rate: 0.02}", "sgd: {learning_rate: 0.02, momentum: 0.9, bias_factor: 16}"
    )
    whole = train_here(text, output=Path("whole")).run.path
    stop(text, after=3, resume=True)
    assert_same(whole, train_here(text, output=Path("part"), resume=True).run.path)
    other = train_here(text, "train.lookahead=none", output=Path("other")).run.path
    assert weights_hash(other) != weights_hash(whole)


def test_what_was_waited_before_an_interruption_counts_after_it(text, here):
    """Nothing improves: after the first epoch two are waited for, then the rate is halved and the training stopped."""
    settings = [
        "train.epochs=6",
        "train.optimizer={sgd: {learning_rate: 1.0e-9}}",
        "train.schedule={reduce_on_plateau: {factor: 0.5, patience: 2, monitor: val_accuracy}}",
        "train.early_stopping={monitor: val_loss, patience: 3, min_delta: 100}",
    ]
    whole = train_here(text, *settings, output=Path("whole")).run.path
    stop(text, *settings, after=2)
    part = train_here(text, *settings, output=Path("part"), resume=True).run.path
    rates = [float(line.rpartition(",")[2]) for line in (whole / "history.csv").read_text().splitlines()[1:]]
    assert rates == pytest.approx([1e-9, 1e-9, 1e-9, 5e-10])
    assert_same(whole, part)


def test_epochs_may_be_raised(whole, text, here):
    """With weights that are averages, which Keras' own callback puts in the place of the weights at the end."""
    averaged = ["train.ema=0.8", "train.epochs=4"]
    longer = train_here(text, *averaged, output=Path("longer")).run.path
    train_here(text, *averaged, "train.epochs=2", output=Path("part"))
    again = train_here(text, *averaged, output=Path("part"), resume=True).run.path
    assert_same(longer, again)
    assert load(again / "config.yaml").train.epochs == 4


def test_a_checkpoint_of_before_the_callback_of_averages_was_renamed_is_resumed(text, here):
    settings = ["train.ema=0.8", "train.epochs=3"]
    whole = train_here(text, *settings, output=Path("whole")).run.path
    stop(text, *settings, after=2)
    path = Path("part/checkpoints/epoch-0002.npz")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    state = json.loads(members["state.json"])
    state["callbacks"]["Averages"] = state["callbacks"].pop("EmaCallback")
    assert state["callbacks"] == {"Averages": {"_ema_weights_in_model": True}}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, "state.json": json.dumps(state)}.items():
            archive.writestr(name, content)
    listener = Listener()
    again = train_here(text, *settings, output=Path("part"), watcher=listener, resume=True).run.path
    assert [epoch.number for epoch in listener.epochs] == [3]
    assert_same(whole, again)


def test_a_complete_run_is_left_alone(whole, text, here):
    shutil.copytree(whole, "part")
    config = load(whole / "config.yaml")
    taken = take_up(Path("part"), config, quiet)
    assert taken.is_complete
    taken.lock.release(remove=True)
    (Path("part") / "environment.json").unlink()
    taken = take_up(Path("part"), config, quiet)
    assert not taken.is_complete
    taken.lock.release(remove=True)


def test_what_was_killed_after_the_last_epoch_is_finished_without_a_fit(whole, text, here, monkeypatch):
    monkeypatch.setattr(train, "mark_latest", lambda run: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train_here(text, "train.epochs=4", output=Path("part"))
    monkeypatch.undo()
    monkeypatch.chdir(here)
    for name in ("metrics.json", "model.keras", "model.onnx"):
        (Path("part") / name).unlink()
    monkeypatch.setattr(fit, "fit_model", None)
    assert_same(whole, train_here(text, "train.epochs=4", output=Path("part"), resume=True).run.path)


def test_early_stopping_is_an_end(here, text):
    settings = [
        "train.epochs=9",
        "train.optimizer={sgd: {learning_rate: 1.0e-30}}",
        "train.early_stopping={patience: 2}",
    ]
    train_here(text, *settings, output=Path("part"))
    run = Run(Path("part"))
    assert newest(run, quiet).epoch == 3
    config = load(run.config)
    taken = take_up(run.path, config, quiet)
    assert taken.is_complete
    taken.lock.release(remove=True)


def test_killed_before_the_first_epoch_it_begins(whole, text, here):
    Path("part").mkdir()
    (Path("part") / ".config.yaml.xyz.part").write_text("half")
    (Path("part") / ".lock").write_text("1")
    assert_same(whole, train_here(text, "train.epochs=4", output=Path("part"), resume=True).run.path)
    assert not [name for name in os.listdir("part") if name.startswith(".")]


def test_another_config_is_refused_with_the_difference(whole, text, here):
    shutil.copytree(whole, "part")
    before = sorted(os.walk("part"))
    with pytest.raises(UsageError) as caught:
        train_here(
            text, "train.epochs=3", "train.ema=0.5", "model[0].conv2d.filters=5", output=Path("part"), resume=True
        )
    assert caught.value.message == (
        f"the config is not the one that {Path('part')} was trained with:\n"
        "  model[0].conv2d.filters: 4 there, 5 here\n"
        "  train.epochs: 4 there, 3 here\n"
        "  train.ema: null there, 0.5 here"
    )
    assert caught.value.exit_code == 2
    assert sorted(os.walk("part")) == before
    # what changes nothing of what is learned is free
    cache = here / "cache"
    trained = train_here(text, "name=other", f"data.cache={cache}", "train.epochs=5", output=Path("part"), resume=True)
    assert len(trained.record.history) == 5


def test_a_checkpoint_of_a_version_that_wrote_no_pooling_strides_has_the_same_config(text, here, monkeypatch):
    def older(config):
        plain = to_plain(config)
        plain["model"][0]["max_pooling2d"]["strides"] = None
        return plain

    model = "model=[max_pooling2d: {pool_size: 2}, flatten]"
    monkeypatch.setattr(train, "to_plain", older)
    stop(text, model, after=1)
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert newest(Run(Path("part")), quiet).state["config"]["model"][0] == {
        "max_pooling2d": {"pool_size": [2, 2], "strides": None, "padding": "valid"}
    }
    with pytest.raises(UsageError, match=r"model\[0\].max_pooling2d.strides\[0\]: 2 there, 1 here"):
        train_here(text, "model=[max_pooling2d: {pool_size: 2, strides: 1}, flatten]", output=Path("part"), resume=True)
    config = load(Path("part/config.yaml"))
    taken = take_up(Path("part"), config, quiet)
    assert taken.checkpoint.epoch == 1
    taken.lock.release(remove=True)


def test_other_images_are_refused_with_the_difference(text, here, small_photos):
    shutil.copytree(small_photos, "photos")
    text = SMALL.format(photos=here / "photos")
    stop(text, after=1)
    no, seven = here / "photos" / "no", here / "photos" / "007"
    shutil.copy(no / "00.jpg", no / "01.png")
    shutil.copy(no / "00.jpg", seven / "99.jpg")
    (no / "02.jpg").unlink()
    with pytest.raises(DataError) as caught:
        train_here(text, output=Path("part"), resume=True)
    lines = caught.value.message.splitlines()
    assert lines[0] == f"the images are not those that {Path('part')} was trained on:"
    assert lines[1:4] == [
        f"  1 new: {seven / '99.jpg'}",
        f"  1 gone: {no / '02.jpg'}",
        f"  1 changed: {no / '01.png'}",
    ]
    assert caught.value.exit_code == 3


def test_a_damaged_checkpoint_is_passed_over(whole, text, here):
    stop(text, "train.epochs=4", after=3)
    last = Path("part/checkpoints/epoch-0003.npz")
    last.write_bytes(last.read_bytes()[:-100])
    listener = Listener()
    trained = train_here(text, "train.epochs=4", output=Path("part"), watcher=listener, resume=True)
    assert_same(whole, trained.run.path)
    assert [epoch.number for epoch in listener.epochs] == [3, 4]
    assert any(note.startswith(f"{last} is damaged (") for note in listener.notes)


def test_damaged_checkpoints_alone_are_an_error(whole, here):
    shutil.copytree(whole, "part")
    for path in Path("part/checkpoints").glob("*.npz"):
        path.write_bytes(b"PK\x03\x04")
    with pytest.raises(RunError, match=r"none of the checkpoints in part/checkpoints can be read"):
        take_up(Path("part"), load(whole / "config.yaml"), quiet)
    assert not Path("part/.lock").exists()


def test_a_checkpoint_of_another_network_is_an_error(whole, text, here):
    stop(text, "train.epochs=4", after=1)
    path = Path("part/checkpoints/epoch-0001.npz")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    del members["model/0.npy"]
    members["model/0.npy"] = members["model/1.npy"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(RunError, match="is for another network"):
        train_here(text, "train.epochs=4", output=Path("part"), resume=True)


@pytest.mark.parametrize("nth", [0, 4, 9, 11, 17])
def test_a_full_disk_costs_no_epoch_that_was_committed(nth, whole, text, here, monkeypatch):
    """The nth file that a training writes does not fit on the disk."""
    written = []
    sync = os.fsync

    def full(descriptor):
        written.append(descriptor)
        if len(written) > nth:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="cannot be written: No space left on device") as caught:
        train_here(text, "train.epochs=4", output=Path("part"))
    assert caught.value.exit_code == 5
    assert caught.value.hint.endswith(f"; then resume with: cnnctl train --resume {Path('part')}")
    monkeypatch.setattr(os, "fsync", sync)
    assert_same(whole, train_here(text, "train.epochs=4", output=Path("part"), resume=True).run.path)


def test_a_run_in_use_is_refused(whole, text, here):
    shutil.copytree(whole, "part")
    lock = own(Run(Path("part")))
    for resume in (False, True):
        with pytest.raises(BusyError, match=re.escape(f"part is in use by another cnnctl (process {os.getpid()})")):
            train_here(text, "train.epochs=4", output=Path("part"), resume=resume)
    lock.release()  # and leaves its file behind, as a killed process does
    with pytest.raises(UsageError, match="is not empty"):
        train_here(text, "train.epochs=4", output=Path("part"))
    assert len(train_here(text, "train.epochs=5", output=Path("part"), resume=True).record.history) == 5


def test_what_is_no_run_is_refused(text, here):
    Path("mine").mkdir()
    Path("mine/thesis.tex").touch()
    with pytest.raises(UsageError, match="mine is not empty and is not a run"):
        train_here(text, output=Path("mine"), resume=True)
    with pytest.raises(UsageError, match=r"thesis.tex is a file"):
        train_here(text, output=Path("mine/thesis.tex"), resume=True)
    assert os.listdir("mine") == ["thesis.tex"]


def test_a_folder_with_a_config_of_the_users_is_no_run(text, here):
    for name in ("mine/config.yaml", "mine/deep/.film.part", "mine/notes.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("mine")
    for folder in ("mine", "mine/deep"):
        with pytest.raises(UsageError, match="is not empty"):
            train_here(text, output=Path(folder), resume=folder == "mine")
    Path("mine/notes.txt").unlink()
    shutil.rmtree("mine/deep")
    with pytest.raises(UsageError, match="is not empty and is not a run"):
        train_here(text, output=Path("mine"), resume=True)
    assert Path("mine/config.yaml").read_text() == "mine"


def test_notes_of_the_users_stay_in_a_run(whole, text, here):
    stop(text, "train.epochs=4", after=1)
    for name in ("part/notes.txt", "part/mine/.film.part"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("mine")
    train_here(text, "train.epochs=4", output=Path("part"), resume=True)
    assert Path("part/notes.txt").read_text() == Path("part/mine/.film.part").read_text() == "mine"


def test_a_name_that_no_folder_can_have(text, here):
    for resume in (False, True):
        with pytest.raises(MachineError, match="cannot be used: File name too long"):
            train_here(text, output=Path("x" * 300), resume=resume)


def test_a_latest_that_cannot_be_written_is_a_warning(text, here):
    Path("runs").touch()
    listener = Listener()
    trained = train_here(text, output=Path("part"), watcher=listener)
    assert trained.run.environment.is_file()
    assert any(note.startswith(f"warning: {Path('runs/latest')} cannot be written: ") for note in listener.notes)


def test_interrupted_before_its_fit_it_names_the_right_epoch(text, here, monkeypatch):
    stop(text, "train.epochs=4", after=2)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(phases, "make_feeds", interrupt)
    with pytest.raises(InterruptedTrainingError, match="interrupted in epoch 3 of 4, which will be repeated"):
        train_here(text, "train.epochs=4", output=Path("part"), resume=True)


def test_raised_epochs_of_a_planned_schedule_are_warned_of(text, here):
    train_here(text, "train.schedule=cosine", output=Path("part"))
    listener = Listener()
    train_here(text, "train.schedule=cosine", "train.epochs=3", output=Path("part"), watcher=listener, resume=True)
    assert "warning: the learning rates so far were planned for 2 epochs; from here on for 3" in listener.notes


def test_another_machine_is_warned_of(whole, text, here, monkeypatch):
    stop(text, "train.epochs=4", after=2)
    listener = Listener()
    monkeypatch.setattr("cnnctl.models.devices.processor_name", lambda: "Abacus")
    train_here(text, "train.epochs=4", output=Path("part"), watcher=listener, resume=True)
    (warning,) = listener.warnings()
    assert "and is Abacus, " in warning
    assert warning.endswith("the weights differ from an uninterrupted training's")


def test_initial_weights_are_those_of_the_beginning(whole, text, here):
    shutil.copytree(whole, "runs/start/1")
    settings = ["train.epochs=3", "train.initial_weights=runs/start"]
    straight = train_here(text, *settings, output=Path("straight")).run.path
    stop(text, *settings, after=1)
    shutil.copytree(whole, "runs/start/2")
    again = train_here(text, *settings, output=Path("part"), resume=True).run.path
    assert_same(straight, again)
    assert load(again / "config.yaml").train.initial_weights == str(here / "runs" / "start" / "1" / "model.keras")


def test_weights_that_are_no_numbers_are_not_kept(text, here):
    """Without validation every epoch is the best so far; the loss of this one was a number while it trained."""
    poison = ["data.validation=0", "train.batch_size=2000", "train.epochs=2"]
    optimizer = "train.optimizer={sgd: {learning_rate: 1.0e+37, weight_decay: 1000}}"
    with pytest.raises(DivergedError, match="a weight is NaN or infinite at the end of epoch 1\n") as caught:
        train_here(text, *poison, optimizer, output=Path("part"))
    assert caught.value.exit_code == 6
    assert not Path("part/model.keras").exists()
    assert newest(Run(Path("part")), quiet) is None


def test_what_killed_processes_left_is_swept(tmp_path):
    kept = [tmp_path / "a.txt", tmp_path / ".lock", tmp_path / "plots" / ".hidden"]
    left = [tmp_path / ".a.txt.xy.part", tmp_path / "evaluations" / "validation" / "plots" / ".b.png.z.part"]
    for path in [*kept, *left]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / ".x.part" / "deep").mkdir(parents=True)
    sweep(Run(tmp_path))
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in left)
    assert not (tmp_path / ".x.part").exists()

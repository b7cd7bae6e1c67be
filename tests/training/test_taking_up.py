"""What a resume refuses and what it lets pass, by checkpoints that no training has made."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnctl.config import Config
from cnnctl.config.dump import to_plain
from cnnctl.data.prepare import Prepared
from cnnctl.errors import DataError, RunError, UsageError
from cnnctl.runs import Run
from cnnctl.runs.checkpoints import Checkpoint, commit
from cnnctl.system import files
from cnnctl.system.locks import try_lock
from cnnctl.training.record import FINE_TUNE, HEAD
from cnnctl.training.resume import (
    ResumedRun,
    all_epochs,
    insist_on_data,
    is_trained,
    listing_hash,
    machine_warnings,
    phase_of,
    take_up,
    write_digests,
)
from tests.training.build import settings

PHASES = "epochs: 5, fine_tune: {epochs: 3, learning_rate: 0.0001}"


def silent(text: str) -> None:
    """Nothing is told."""
    raise AssertionError(text)


def two_phases(epochs: int = 5, later: int = 3) -> Config:
    train = f"epochs: {epochs}, fine_tune: {{epochs: {later}, learning_rate: 0.0001}}"
    return settings(train, ("backbone: {application: MobileNetV2}", "global_average_pooling2d"))


def checkpoint(config: Config, epoch: int = 2, **state: Any) -> Checkpoint:
    plain = json.loads(json.dumps(to_plain(config)))
    return Checkpoint(epoch, {"config": plain, "stopped": False, "machine": {}, **state}, {})


@pytest.fixture
def begun(tmp_path: Path) -> Callable[..., Run]:
    """Makes a run with a checkpoint."""

    def make(made: Checkpoint | None, **written: Any) -> Run:
        run = Run(tmp_path / "run")
        files.write_json(run.classes, ["a", "b"])
        run.checkpoints.mkdir(exist_ok=True)
        if made is not None:
            commit(run, made)
        return run

    return make


def taken(run: Run, config: Config) -> ResumedRun:
    found = take_up(run.path, config, silent)
    assert found is not None
    found.lock.release(remove=True)
    return found


def refusal(run: Run, config: Config) -> UsageError:
    with pytest.raises(UsageError) as caught:
        take_up(run.path, config, silent)
    free = try_lock(run.lock)  # a refusal leaves nothing locked
    assert free is not None
    free.release(remove=True)
    return caught.value


def test_there_is_none_yet(tmp_path: Path) -> None:
    assert take_up(tmp_path / "run", settings("epochs: 5"), silent) is None
    (tmp_path / "run").mkdir()
    assert take_up(tmp_path / "run", settings("epochs: 5"), silent) is None


def test_the_same_config_is_taken_up_with_its_last_checkpoint(begun: Callable[..., Run]) -> None:
    config = settings("epochs: 5")
    found = taken(begun(checkpoint(config)), config)
    assert found.checkpoint is not None
    assert (found.checkpoint.epoch, found.is_complete) == (2, False)
    assert found.run.path.name == "run"
    first = taken(begun(None), config)
    assert first.checkpoint is not None  # it has one by now


def test_one_that_was_killed_before_its_first_checkpoint_begins_again(begun: Callable[..., Run]) -> None:
    found = taken(begun(None), settings("epochs: 5"))
    assert (found.checkpoint, found.is_complete) == (None, False)


def test_only_the_epochs_may_be_raised(begun: Callable[..., Run]) -> None:
    run = begun(checkpoint(settings("epochs: 5, batch_size: 8")))
    for epochs in (5, 6, 10, 100):
        taken(run, settings(f"epochs: {epochs}, batch_size: 8"))
    error = refusal(run, settings("epochs: 4, batch_size: 8"))
    assert error.message == (
        f"the config is not the one that {run.path} was trained with:\n  train.epochs: 5 there, 4 here"
    )
    assert error.hint == "only train.epochs may be raised; to train with another config, choose another --output DIR"
    both = refusal(run, settings("epochs: 6, batch_size: 9"))
    assert both.message.splitlines()[1:] == ["  train.batch_size: 8 there, 9 here"]
    more = refusal(run, settings("epochs: 5, batch_size: 8, ema: 0.5"))
    assert [line.split(":")[0] for line in more.message.splitlines()[1:]] == ["  train.ema"]


def test_what_changes_nothing_of_what_is_learned_may_change(begun: Callable[..., Run]) -> None:
    run = begun(checkpoint(settings("epochs: 5", rest="name: one\n")))
    taken(run, settings("epochs: 5, loggers: [tensorboard]", rest="name: two\n"))
    taken(run, settings("epochs: 5, loggers: []", rest="name: '3'\n"))


def test_a_setting_that_is_missing_on_one_side_is_named(begun: Callable[..., Run]) -> None:
    run = begun(checkpoint(settings("epochs: 5", model=("conv2d: {filters: 2, kernel_size: 1}", "flatten"))))
    lines = refusal(run, settings("epochs: 5")).message.splitlines()[1:]
    assert any("not set here" in line for line in lines)
    longer = settings("epochs: 5", model=("conv2d: {filters: 2, kernel_size: 1}", "dropout: {rate: 0.5}", "flatten"))
    assert "not set there" in refusal(run, longer).message


def test_in_the_second_phase_its_epochs_may_be_raised_and_not_those_of_the_first(begun: Callable[..., Run]) -> None:
    run = begun(checkpoint(two_phases(), 6, phase=FINE_TUNE, phase_begin=5))
    taken(run, two_phases(later=4))
    error = refusal(run, two_phases(epochs=6))
    assert "train.epochs: 5 there, 6 here" in error.message
    assert str(error.hint).startswith("only train.fine_tune.epochs may be raised")
    assert "train.fine_tune.epochs: 3 there, 2 here" in refusal(run, two_phases(later=2)).message


def test_in_the_first_phase_its_own_epochs_may_be_raised(begun: Callable[..., Run]) -> None:
    run = begun(checkpoint(two_phases(), 2, phase=HEAD))
    taken(run, two_phases(epochs=6))
    assert "train.fine_tune.epochs" in refusal(run, two_phases(later=4)).message


def test_epochs_and_phases() -> None:
    one, two = settings("epochs: 5"), two_phases()
    assert phase_of(checkpoint(one)) is None
    assert phase_of(checkpoint(two, phase=HEAD)) == HEAD
    assert all_epochs(checkpoint(one), one.train) == 5
    assert all_epochs(checkpoint(two, phase=HEAD), two.train) == 8
    assert all_epochs(checkpoint(two, 4, phase=FINE_TUNE, phase_begin=3), two.train) == 6
    assert [is_trained(checkpoint(one, epoch), one.train) for epoch in (1, 4, 5, 6)] == [False, False, True, True]
    assert is_trained(checkpoint(one, 1, stopped=True), one.train)
    assert not is_trained(checkpoint(two, 5, phase=HEAD, stopped=True), two.train)
    later = [is_trained(checkpoint(two, at, phase=FINE_TUNE, phase_begin=3), two.train) for at in (4, 5, 6, 7)]
    assert later == [False, False, True, True]


def complete(run: Run, epochs: int | None) -> None:
    for path in (run.keras_model, run.metrics):
        files.write_json(path, {})
    if epochs is not None:
        files.write_json(run.environment, {"epochs": epochs})


def test_a_run_is_complete_once_all_that_was_trained_was_evaluated(begun: Callable[..., Run]) -> None:
    config = settings("epochs: 5")
    run = begun(checkpoint(config, 5))
    assert not taken(run, config).is_complete
    complete(run, None)
    assert not taken(run, config).is_complete
    complete(run, 4)
    assert not taken(run, config).is_complete
    complete(run, 5)
    assert taken(run, config).is_complete
    assert not taken(run, settings("epochs: 6")).is_complete
    run.keras_model.unlink()
    assert not taken(run, config).is_complete


def test_a_complete_run_without_checkpoints_cannot_be_resumed(begun: Callable[..., Run]) -> None:
    run = begun(None)
    complete(run, 5)
    with pytest.raises(RunError, match="is complete and has no checkpoints"):
        take_up(run.path, settings("epochs: 5"), silent)


def test_another_machine_is_named() -> None:
    before = checkpoint(settings("epochs: 5"), machine={"device": "A", "precision": "float32", "old": "x"})
    assert machine_warnings(before, {"device": "A", "precision": "float32"}) == []
    (told,) = machine_warnings(before, {"device": "B", "precision": "float32"})
    assert told == "the device was A and is B: the weights differ from an uninterrupted training's"


PATHS = tuple(f"/photos/{number}.png" for number in range(8))


def prepared(
    paths: tuple[str, ...] = PATHS, labels: str = "01010101", splits: str = "tttttvvv", contents: str = "01234567"
) -> Prepared:
    names = {"t": "train", "v": "validation"}
    digests = np.array([[ord(char)] * 16 for char in contents], np.uint8)
    return Prepared(
        ("cat", "dog"),
        paths,
        np.array([int(one) for one in labels]),
        np.array([names[one] for one in splits], object),
        np.arange(len(paths)),
        np.zeros((len(paths), 1, 1, 1), np.uint8),
        digests,
    )


@pytest.fixture
def trained(begun: Callable[..., Run]) -> tuple[Run, Checkpoint]:
    images = prepared()
    before = checkpoint(settings("epochs: 5"), data=listing_hash(images))
    run = begun(before)
    files.write_csv(run.split, ("path", "label", "split"), images.listing())
    write_digests(run, images.digests)
    return run, before


MORE = (*PATHS, "/photos/new.png")
CHANGES = [
    (prepared(MORE, "010101010", "tttttvvvt", "012345678"), ["1 new: /photos/new.png"]),
    (prepared(PATHS[1:], "1010101", "ttttvvv", "1234567"), ["1 gone: /photos/0.png"]),
    (prepared(labels="11010101"), ["1 of another class: /photos/0.png"]),
    (prepared(contents="0x234567"), ["1 changed: /photos/1.png"]),
    (prepared(splits="vttttvvv"), ["1 moved from train to validation"]),
    (prepared(splits="vvtttvvt"), ["2 moved from train to validation", "1 moved from validation to train"]),
    (prepared(contents="abcdefgh"), [f"8 changed: {', '.join(PATHS[:5])}, ..."]),
    (prepared(contents="abcde567"), [f"5 changed: {', '.join(PATHS[:5])}"]),
    (
        prepared((PATHS[1], PATHS[0], *PATHS[2:]), "10010101", "tttttvvv", "10234567"),
        ["their order"],
    ),
]


@pytest.mark.parametrize(("now", "lines"), CHANGES, ids=[lines[0][:20] for _, lines in CHANGES])
def test_other_images_are_refused_and_the_difference_is_named(
    now: Prepared, lines: list[str], trained: tuple[Run, Checkpoint]
) -> None:
    run, before = trained
    insist_on_data(run, before, prepared())
    with pytest.raises(DataError) as caught:
        insist_on_data(run, before, now)
    head = f"the images are not those that {run.path} was trained on:"
    assert caught.value.message.split("\n  ") == [head, *lines]
    assert caught.value.hint == "put them back, or train again with another --output DIR"


def test_a_run_that_kept_no_digests_names_what_it_knows(trained: tuple[Run, Checkpoint]) -> None:
    run, before = trained
    write_digests(run, prepared().digests[:3])
    with pytest.raises(DataError, match=r"\n  their order\n"):
        insist_on_data(run, before, prepared(contents="x1234567"))

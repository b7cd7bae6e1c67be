"""Which run is meant."""

import os
from pathlib import Path

import pytest

from cnnctl.errors import RunError, UsageError
from cnnctl.runs import Run, find_run
from cnnctl.runs.directory import mark_latest, own
from cnnctl.runs.find import best_of_each, names_missing_run, names_run
from cnnctl.runs.listing import list_runs
from cnnctl.training.request import find_resumed
from tests.cli.command import fail
from tests.images import picture
from tests.runs.build import images, write_begun, write_run


@pytest.fixture
def cats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of 60%, 80%, 70% and an unfinished one; the third is the latest."""
    monkeypatch.chdir(tmp_path)
    folder = Path("runs") / "cats"
    runs = [write_run(folder / str(number), images(right, 10 - right)) for number, right in ((1, 6), (2, 8), (3, 7))]
    write_begun(folder / "4", ["train.epochs=30"], [0.5, 0.99, 0.7])
    write_run(Path("runs/dogs/1"), images(9, 1))
    mark_latest(runs[2])
    return folder


def test_the_best_of_the_latest_run_s_name(cats: Path) -> None:
    assert find_run(None).path == cats / "3"
    assert find_run(Path("best")).path == cats / "2"


def test_the_best_of_a_name(cats: Path) -> None:
    assert find_run(cats / "best").path == cats / "2"
    assert find_run(Path("runs/dogs/best")).path == Path("runs/dogs/1")


def test_a_folder_of_that_name_is_a_folder(cats: Path) -> None:
    write_run(cats / "best", images(1, 9))
    assert find_run(cats / "best").path == cats / "best"


def test_there_is_no_best(cats: Path) -> None:
    with pytest.raises(RunError, match="there is no complete run in runs/birds"):
        find_run(Path("runs/birds/best"))


def test_the_best_of_each_name(cats: Path) -> None:
    assert {str(one.run.path) for one in best_of_each(list_runs(Path("runs")))} == {"runs/cats/2", "runs/dogs/1"}


def test_a_run_in_training_says_so(cats: Path) -> None:
    run = Run(cats / "4")
    lock = own(run)
    with pytest.raises(RunError, match=r"has no model\.onnx"):  # it is we who work on it
        run.need(run.onnx_model)
    lock.say("1\n")
    try:
        with pytest.raises(RunError, match=r"runs/cats/4 is still in training: it has no model\.onnx yet"):
            run.need(run.onnx_model)
    finally:
        lock.release(remove=True)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["predict", "runs/cats/4", "x.png"], 4),
        (["predict", "x.png", "--run", "runs/cats/4"], 4),
        (["serve", "runs/cats/4", "--port", "0"], 4),
        (["evaluate", "runs/cats/4"], 4),
        (["export", "runs/cats/4"], 4),
        (["explain", "runs/cats/4", "x.png"], 4),
        (["explain", "runs/cats/4", "x.png", "--numbers"], 4),
        (["compare", "runs/cats/4", "runs/cats/3"], 4),
        (["report", "runs/cats/4"], 7),
    ],
)
def test_every_command_says_that_a_run_is_in_training(
    command: list[str], code: int, cats: Path, tmp_path: Path
) -> None:
    picture(30, 20).save("x.png")
    lock = own(Run(cats / "4"))
    try:
        said = fail(code, *command, cwd=tmp_path)
    finally:
        lock.release(remove=True)
    assert "still in training" in said
    assert said.splitlines()[-1] == "hint: wait for its end: `cnnctl runs` shows how far it is"


def test_a_run_that_was_interrupted_says_how_to_resume_it(cats: Path, tmp_path: Path) -> None:
    picture(30, 20).save("x.png")
    said = fail(4, "predict", "runs/cats/4", "x.png", cwd=tmp_path).splitlines()
    assert said[0] == "error: the run runs/cats/4 has no model.onnx"
    assert said[1] == "hint: the training did not end; resume it with: cnnctl train --resume runs/cats/4"


def test_a_run_that_is_not_there_is_no_image(cats: Path, tmp_path: Path) -> None:
    assert "there is no run at runs/cats/9" in fail(4, "predict", "runs/cats/9", "x.png", cwd=tmp_path)
    assert [names_missing_run(word) for word in ("runs/cats/9", "runs/cats/1", "runs/x.png", "runs", "cats/9")] == [
        *(True, False, False, False, False)
    ]


def test_runs_without_a_latest_one(cats: Path) -> None:
    Path("runs/latest").unlink()
    with pytest.raises(RunError, match=r"there is no latest run in .*/runs") as caught:
        find_run(None)
    assert caught.value.hint == "name one that `cnnctl runs` lists"


def test_words_that_are_runs(cats: Path) -> None:
    (cats / "6").mkdir()
    Path("photos/7").mkdir(parents=True)
    for word in (cats / "1", cats / "4", cats, cats / "best", "best", "./best"):
        assert names_run(str(word)), word
    for word in (cats / "6", "photos", "photos/7", "nothing", "photos/seven.png", "-", "a\0b"):
        assert not names_run(str(word)), word
    Path("best").write_bytes(b"an image")
    assert not names_run("best")


class TestResumed:
    def test_a_run_brings_its_own_config(self, cats: Path) -> None:
        own_config = cats / "4" / "config.yaml"
        assert find_resumed(cats / "4", None) == (own_config, cats / "4")
        assert find_resumed(None, cats / "4") == (own_config, cats / "4")
        assert find_resumed(cats / "4", cats / "4") == (own_config, cats / "4")

    def test_the_newest_and_the_best_of_a_name(self, cats: Path) -> None:
        assert find_resumed(cats, None) == (cats / "4" / "config.yaml", cats / "4")
        for best in (Path("best"), cats / "best"):
            assert find_resumed(best, None) == (cats / "2" / "config.yaml", cats / "2")

    def test_a_config_and_a_run(self, cats: Path) -> None:
        assert find_resumed(Path("c.yaml"), Path("new")) == (Path("c.yaml"), Path("new"))

    def test_what_names_no_run_or_two(self, cats: Path) -> None:
        with pytest.raises(UsageError, match="--resume needs --output, the run to resume"):
            find_resumed(Path("c.yaml"), None)
        with pytest.raises(UsageError, match="--resume needs --output, the run to resume"):
            find_resumed(Path("-"), None)
        with pytest.raises(RunError, match="there is no run at runs/cats/9"):
            find_resumed(cats / "9", None)
        with pytest.raises(UsageError, match="two runs are named"):
            find_resumed(cats / "4", cats / "1")
        (Path("runs") / "empty").mkdir()
        with pytest.raises(RunError, match=r"has no config\.yaml"):
            find_resumed(Path("runs/empty"), None)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_run_that_may_not_be_read_is_an_error(tmp_path):
    run = write_run(tmp_path / "run", images(6, 4))
    run.path.chmod(0o700)
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(RunError, match="run cannot be read: Permission denied"):
            find_run(run.path)
        with pytest.raises(RunError, match=r"model\.onnx cannot be read: Permission denied"):
            run.has(run.onnx_model)
    finally:
        os.seteuid(0)

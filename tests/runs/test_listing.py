"""Runs at a glance, at every stage that a run can be in."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cnnctl.runs import Run
from cnnctl.runs.directory import mark_latest
from cnnctl.runs.find import latest_of
from cnnctl.runs.listing import Listed, _plan, _written_plan, find_runs, list_runs, look
from cnnctl.system import files
from cnnctl.system.locks import try_lock
from tests.runs.build import FINISHED, damage_json, images, write_begun, write_metrics, write_run


def status(listed: Listed) -> tuple[str, str | None, int | None, int | None]:
    return listed.status, listed.reason, listed.epochs, listed.planned


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path / "runs" / "cats" / "1", images(7, 3))


class TestStatus:
    def test_complete(self, run: Run) -> None:
        listed = look(run)
        assert status(listed) == ("complete", None, 5, 5)
        assert (listed.accuracy, listed.split) == (0.7, "test")
        assert listed.date == datetime.fromisoformat(FINISHED)

    def test_unfinished_is_judged_by_its_best_epoch(self, tmp_path: Path) -> None:
        begun = write_begun(tmp_path / "1", ["train.epochs=30"], [0.5, 0.8, 0.7])
        os.utime(begun.history, (1_000_000_000, 1_000_000_000))
        listed = look(begun)
        assert status(listed) == ("unfinished", None, 3, 30)
        assert (listed.accuracy, listed.split) == (0.8, "validation")
        assert listed.date == datetime.fromtimestamp(1_000_000_000, UTC)

    def test_before_the_first_epoch(self, tmp_path: Path) -> None:
        listed = look(write_begun(tmp_path / "1"))
        assert status(listed) == ("unfinished", None, 0, 5)
        assert (listed.accuracy, listed.split) == (None, None)

    def test_without_validation_images(self, tmp_path: Path) -> None:
        begun = write_begun(tmp_path / "1")
        files.write_csv(begun.history, ("epoch", "accuracy", "loss"), [(1, 0.25, 2.0), (2, 0.5, 1.0)])
        assert (look(begun).accuracy, look(begun).split) == (0.5, "train")

    def test_a_killed_evaluation_is_unfinished(self, run: Run) -> None:
        run.environment.unlink()
        assert status(look(run)) == ("unfinished", None, 5, 5)

    def test_stopped_early_is_complete(self, tmp_path: Path) -> None:
        patient = write_run(tmp_path / "1", images(7, 3), ["train.early_stopping={patience: 2}"], [0.5, 0.6, 0.4])
        assert status(look(patient)) == ("complete", None, 3, 5)

    @pytest.mark.parametrize("epochs", [[0.5] * 5, [0.5] * 6])
    def test_resumed_for_more_epochs_and_killed(self, tmp_path: Path, epochs: list[float]) -> None:
        before = write_run(tmp_path / "1", images(7, 3))
        write_begun(before.path, ["train.epochs=9"], epochs)
        assert status(look(before)) == ("unfinished", None, len(epochs), 9)

    def test_in_training(self, tmp_path: Path) -> None:
        begun = write_begun(tmp_path / "1", epochs=[0.5])
        lock = try_lock(begun.lock)
        assert lock is not None
        lock.say("1234\n")
        assert status(look(begun)) == ("in training", None, 1, 5)
        assert begun.lock.read_text() == "1234\n"
        begun.config.unlink()  # not written yet
        assert status(look(begun))[:2] == ("in training", None)
        lock.release()  # as a killed process does, whose file stays
        assert status(look(begun))[0] == "damaged"
        again = try_lock(begun.lock)
        assert again is not None
        again.release()

    def test_looking_makes_no_lock(self, run: Run) -> None:
        before = sorted(os.listdir(run.path))
        look(run)
        assert sorted(os.listdir(run.path)) == before

    def test_complete_and_being_judged(self, run: Run) -> None:
        lock = try_lock(run.lock)
        assert lock is not None
        assert look(run).status == "complete"
        lock.release()

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("metrics.json", None, "no metrics.json"),
            ("metrics.json", b"{", "metrics.json cannot be read"),
            ("metrics.json", b'{"split": "test", "accuracy": "high"}', "metrics.json cannot be read"),
            ("metrics.json", b'{"split": "test", "accuracy": NaN}', "metrics.json cannot be read"),
            ("metrics.json", b'{"onnx": {}}', "metrics.json cannot be read"),
            ("metrics.json", b"[1]", "metrics.json cannot be read"),
            ("environment.json", b"\xff", "environment.json cannot be read"),
            ("environment.json", b"{}", "environment.json cannot be read"),
            ("environment.json", b"[]", "environment.json cannot be read"),
            ("history.csv", b"epoch,val_accuracy\n1,x\n", "history.csv cannot be read"),
            ("history.csv", b"epoch,val_accuracy\n1\n", "history.csv cannot be read"),
            ("history.csv", b"name,accuracy\n1,1\n", "history.csv has wrong columns"),
            ("config.yaml", None, "no config.yaml"),
            ("config.yaml", b"\xff\xfe", "config.yaml cannot be read"),
            ("config.yaml", b"model: []\n", "config.yaml cannot be read"),
            ("config.yaml", b"train: [\n", "config.yaml cannot be read"),
            ("config.yaml", b"train: {epochs: many, early_stopping: none}\n", "config.yaml cannot be read"),
            ("model.keras", None, "no model.keras"),
            ("classes.json", None, "no classes.json"),
            ("split.csv", None, "no split.csv"),
        ],
    )
    def test_damaged(self, run: Run, name: str, content: bytes | None, reason: str) -> None:
        if content is None:
            (run.path / name).unlink()
        else:
            (run.path / name).write_bytes(content)
        assert (look(run).status, look(run).reason) == ("damaged", reason)


class TestReading:
    def test_of_a_large_metrics_file_the_beginning(self, run: Run) -> None:
        write_metrics(run, accuracy=0.125, confusion_matrix=[[1] * 300] * 300)
        assert run.metrics.stat().st_size > 2**17
        with run.metrics.open("ab") as file:
            file.write(b"\xff")
        assert look(run).accuracy == 0.125

    def test_metrics_in_another_layout(self, run: Run) -> None:
        run.metrics.write_text('{"split":"test","accuracy":0.25}')
        assert (look(run).accuracy, look(run).split) == (0.25, "test")
        run.metrics.write_text("[" * 100_000)
        assert look(run).reason == "metrics.json cannot be read"

    def test_a_config_with_another_order(self, run: Run) -> None:
        run.config.write_text("train:\n  epochs: 4\n  early_stopping: null\nname: x\n\ndata: {train: x}\n")
        assert look(run).planned == 4
        run.config.write_text('name: "x\\\ntrain: y"\ndata: {}\ntrain: {epochs: 3, early_stopping: none}\n')
        assert look(run).planned == 3

    def test_the_written_form_and_any_other_say_the_same(self, tmp_path: Path) -> None:
        for stopping in ("none", "{patience: 3}"):
            begun = write_begun(tmp_path / "1", [f"train.early_stopping={stopping}", "train.epochs=12"])
            text = begun.config.read_text()
            assert _written_plan(text)
            other = text.replace("  epochs: 12\n", "  epochs: 0xC\n")
            assert not _written_plan(other)
            before = _plan(begun)
            begun.config.write_text(other)
            assert before == _plan(begun) == (12, stopping != "none")

    def test_a_date_without_a_zone_is_utc(self, run: Run) -> None:
        damage_json(run.environment, finished="2026-01-02T03:04:05")
        assert look(run).date == datetime.fromisoformat(FINISHED)


class TestFinding:
    def test_the_newest_first(self, tmp_path: Path) -> None:
        for number, day in ((1, 3), (2, 1), (10, 2)):
            write_run(tmp_path / "cats" / str(number), images(7, 3), finished=f"2026-01-0{day}T00:00:00+00:00")
        assert [one.run.path.name for one in list_runs(tmp_path)] == ["1", "10", "2"]

    def test_at_any_depth_but_not_inside_a_run(self, run: Run, tmp_path: Path) -> None:
        named = write_begun(tmp_path / "runs" / "mine")
        deep = write_begun(tmp_path / "runs" / "sweep" / "rate" / "3")
        files.write_json(run.evaluations / "1" / "metrics.json", {})
        files.write_text(run.evaluations / "1" / "predictions.csv", "")
        (tmp_path / "runs" / "cats" / "2").mkdir()
        files.write_text(tmp_path / "runs" / "notes" / "config.yaml", "a: 1")
        found = {one.path for one in find_runs(tmp_path / "runs")}
        assert found == {run.path, named.path, deep.path}
        assert [one.path for one in find_runs(run.path)] == [run.path]

    def test_links_are_followed_once_and_latest_never(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        mark_latest(run)
        (tmp_path / "runs" / "cats" / "loop").symlink_to(tmp_path / "runs", target_is_directory=True)
        (tmp_path / "runs" / "twin").symlink_to(run.path, target_is_directory=True)
        elsewhere = write_begun(tmp_path / "disk" / "dogs" / "1")
        (tmp_path / "runs" / "dogs").symlink_to(elsewhere.path.parent, target_is_directory=True)
        found = [one.path for one in find_runs(Path("runs"))]
        assert found == [Path("runs/cats/1"), Path("runs/dogs/1")]

    def test_folders_that_cannot_be_read(self, run: Run, tmp_path: Path) -> None:
        assert list(find_runs(tmp_path / "none")) == []

    def test_odd_names(self, tmp_path: Path) -> None:
        names = ["two\nlines", "caf\udce9", "a b", "🐱", "-x"]
        for name in names:
            write_begun(tmp_path / name / "1")
        assert sorted(one.path.parent.name for one in find_runs(tmp_path)) == sorted(names)


def test_latest_of(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert latest_of(Path("runs")) is None
    mark_latest(run)
    assert latest_of(Path("runs")) == Path("runs/cats/1")
    Path("runs/latest").unlink()
    Path("runs/latest").write_text("../mine\n")
    assert latest_of(Path("runs")) == Path("mine")

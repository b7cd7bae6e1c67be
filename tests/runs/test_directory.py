"""Run directories: numbers, --output, the latest, and finding one again."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cnnctl.errors import MachineError, RunError, UsageError
from cnnctl.runs import Run, create_run, find_run
from cnnctl.runs.directory import is_complete, mark_latest
from cnnctl.system import files


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def complete(run: Run) -> Run:
    """The run with the files that make it count as trained."""
    files.write_text(run.config, "name: x\n")
    files.write_json(run.classes, ["cat", "dog"])
    files.write_json(run.metrics, {"accuracy": 0.5})
    files.write_bytes(run.keras_model, b"model")
    return run


class TestCreate:
    def test_numbers_count_up_and_are_never_reused(self) -> None:
        assert create_run("digits", None).path == Path("runs/digits/1")
        Path("runs/digits/9").mkdir()
        Path("runs/digits/notes").mkdir()
        Path("runs/digits/12.txt").touch()
        assert create_run("digits", None).path == Path("runs/digits/10")
        assert create_run("other", None).path == Path("runs/other/1")

    def test_at_once_each_gets_its_own(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            runs = list(pool.map(lambda _: create_run("digits", None).path.name, range(24)))
        assert sorted(map(int, runs)) == list(range(1, 25))

    def test_output_names_it_exactly(self, folder: Path) -> None:
        assert create_run("digits", folder / "a" / "b").path == folder / "a" / "b"
        assert (folder / "a" / "b").is_dir()
        assert create_run("digits", folder / "a" / "b").path == folder / "a" / "b"  # it is empty still
        assert not (folder / "runs").exists()

    def test_output_that_is_occupied_is_refused(self, folder: Path) -> None:
        (folder / "full").mkdir()
        (folder / "full" / "x").touch()
        with pytest.raises(UsageError, match="full is not empty") as caught:
            create_run("digits", folder / "full")
        assert "--output" in (caught.value.hint or "")
        with pytest.raises(UsageError, match="x is a file, not a folder"):
            create_run("digits", folder / "full" / "x")
        assert os.listdir(folder / "full") == ["x"]

    def test_where_no_folder_can_be_made(self, folder: Path) -> None:
        (folder / "runs").touch()
        with pytest.raises(MachineError, match="runs/digits cannot be made") as caught:
            create_run("digits", None)
        assert "--output DIR" in (caught.value.hint or "")
        with pytest.raises(MachineError, match="cannot be made"):
            create_run("digits", folder / "runs" / "inside")

    def test_evaluations_are_numbered(self, folder: Path) -> None:
        run = Run(folder)
        assert [run.next_evaluation().name for _ in range(3)] == ["1", "2", "3"]
        assert run.next_evaluation().parent == run.evaluations

    def test_title(self, folder: Path) -> None:
        assert Run(Path("runs/digits/3")).title == "digits 3"
        assert Run(folder / "mine").title == "mine"


class TestLatest:
    @pytest.fixture(params=["link", "text file"])
    def links(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        """A file system with links, and one without."""

        def no_link(*arguments: object, **options: object) -> None:
            raise OSError("links are not to be had")

        if request.param == "text file":
            monkeypatch.setattr(Path, "symlink_to", no_link)
        return str(request.param)

    def test_is_the_one_marked_last(self, links: str, folder: Path) -> None:
        first, second = create_run("digits", None), create_run("digits", None)
        for run in (first, second, first):
            mark_latest(complete(run))
            assert find_run(None).path == run.path
            assert find_run(Path("runs/latest")).path.resolve() == run.path.resolve()
        assert Path("runs/latest").is_symlink() == (links == "link")
        assert sorted(os.listdir("runs")) == ["digits", "latest"]

    def test_lies_elsewhere(self, links: str, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        for output in (folder / "mine", elsewhere / "run"):
            mark_latest(complete(create_run("digits", output)))
            assert find_run(None).path.resolve() == output.resolve()

    def test_survives_a_move_of_the_folder(self, links: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "before").mkdir()
        monkeypatch.chdir(folder / "before")
        mark_latest(complete(create_run("digits", None)))
        (folder / "before").rename(folder / "after")
        monkeypatch.chdir(folder / "after")
        assert find_run(None).read_classes() == ("cat", "dog")

    def test_is_gone(self, links: str, folder: Path) -> None:
        run = complete(create_run("digits", None))
        mark_latest(run)
        run.path.rename(folder / "away")
        for path in (None, Path("runs/latest")):
            with pytest.raises(RunError) as caught:
                find_run(path)
            assert "cnnctl train CONFIG" in (caught.value.hint or "")
        with pytest.raises(RunError, match="the latest run is gone"):
            find_run(None)

    def test_there_is_none_yet(self, folder: Path) -> None:
        with pytest.raises(RunError, match=re.escape(f"there is no run yet in {folder / 'runs'}")) as caught:
            find_run(None)
        assert caught.value.hint == "`cnnctl train CONFIG` makes one; or name the directory of a run in another folder"

    def test_cannot_be_written(self, folder: Path) -> None:
        run = complete(create_run("digits", folder / "mine"))
        (folder / "runs").touch()
        with pytest.raises(MachineError, match="runs/latest cannot be written"):
            mark_latest(run)
        (folder / "runs").unlink()
        (folder / "runs" / "latest" / "in the way").mkdir(parents=True)
        with pytest.raises(MachineError, match="runs/latest cannot be written"):
            mark_latest(run)
        assert os.listdir("runs") == ["latest"]


class TestFind:
    def test_by_its_folder(self, folder: Path) -> None:
        run = complete(create_run("digits", None))
        for path in (run.path, folder / run.path):
            assert find_run(path).path == path
        started = create_run("digits", None)
        files.write_text(started.config, "name: x\n")
        assert find_run(started.path) == started  # a run that was not finished can be named
        assert not is_complete(started)

    def test_by_its_name_the_newest_complete_one(self) -> None:
        runs = [create_run("digits", None) for _ in range(11)]
        for run in (runs[1], runs[8], runs[9]):  # 10 is newer than 9, though not by the alphabet
            complete(run)
        assert find_run(Path("runs/digits")).path == Path("runs/digits/10")

    def test_no_run_there(self, folder: Path) -> None:
        with pytest.raises(RunError, match="there is no run at runs/gone") as caught:
            find_run(Path("runs/gone"))
        assert "cnnctl train CONFIG" in (caught.value.hint or "")
        create_run("digits", None)
        for path in (folder, Path("runs/digits"), Path("runs/digits/1")):
            with pytest.raises(RunError, match="is not a run directory") as caught:
                find_run(path)
            assert "runs/digits/1" in (caught.value.hint or "")


class TestRead:
    @pytest.fixture
    def run(self, folder: Path) -> Run:
        return Run(folder)

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("model.onnx", "cnnctl train makes it"),
            ("metrics.json", "cnnctl evaluate makes it"),
            ("predictions.csv", "cnnctl evaluate makes it"),
            ("classes.json", "train it again"),
        ],
    )
    def test_what_it_lacks_is_named_with_its_maker(self, run: Run, name: str, hint: str) -> None:
        with pytest.raises(RunError, match=f"has no {name}") as caught:
            run.need(run.path / name)
        assert hint in (caught.value.hint or "")
        (run.path / name).touch()
        assert run.need(run.path / name) == run.path / name

    def test_classes(self, run: Run) -> None:
        names = ("no", "007", "NA", "🐱", "two\nlines")
        files.write_json(run.classes, list(names))
        assert run.read_classes() == names

    @pytest.mark.parametrize("text", ['["one"]', "[]", '{"a": 1}', "[1, 2]", '"ab"', "null", '["a", "b"', "\xe9", ""])
    def test_classes_that_are_none(self, run: Run, text: str) -> None:
        run.classes.write_bytes(text.encode("latin-1"))
        with pytest.raises(RunError, match=re.escape(str(run.classes))):
            run.read_classes()

    def test_metrics(self, run: Run) -> None:
        assert run.read_metrics() == {}
        files.write_json(run.metrics, {"accuracy": 0.5})
        assert run.read_metrics() == {"accuracy": 0.5}
        for text in ("[]", "{", "1"):
            run.metrics.write_text(text)
            with pytest.raises(RunError, match=r"metrics\.json"):
                run.read_metrics()

    def test_split(self, run: Run) -> None:
        rows = [("/a/1.png", "no", "train"), ("/a/caf\udce9.png", "two\nlines", "test"), ("/a/3.png", "🐱", "test")]
        with pytest.raises(RunError, match=r"has no split\.csv"):
            run.read_split("test")
        files.write_csv(run.split, ("path", "label", "split"), rows)
        assert run.read_split("test") == (["/a/caf\udce9.png", "/a/3.png"], ["two\nlines", "🐱"])
        assert run.read_split("train") == (["/a/1.png"], ["no"])
        assert run.read_split("validation") == ([], [])

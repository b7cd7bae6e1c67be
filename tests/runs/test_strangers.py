"""A run may come from a stranger: whatever lies in it in place of a file, nothing outside it is read, written or waited
for, and the command says what it found.
"""

import itertools
import os
import re
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import cnnctl as package
from cnnctl.cli.app import guarded
from cnnctl.cli.options import grouped
from cnnctl.errors import RunError
from cnnctl.evaluation import evaluate
from cnnctl.evaluation.report import gather
from cnnctl.runs import Run
from cnnctl.runs.contents import OWN
from cnnctl.runs.directory import sweep
from cnnctl.system import inside
from cnnctl.system.inside import UnfitFileError
from cnnctl.system.locks import is_held, try_lock
from tests.cli.command import cnnctl
from tests.conftest import Trained
from tests.runs.build import write_run

SECRET = b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
_SECONDS = 20  # that a command may take; those that do not hang take about one


@pytest.fixture(scope="module")
def original(digits_run: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's run with every file that a run can have."""
    run = Run(tmp_path_factory.mktemp("stranger") / "run")
    shutil.copytree(digits_run.run, run.path)
    shutil.copytree(run.plots, run.evaluations / "1" / "plots")
    run.write_json(run.mlflow, {"run_id": "1"})
    run.write_json(run.wandb, {"run_id": "1"})
    run.write_bytes(run.tensorboard / "train" / "events.out.tfevents.1.x", b"x")
    for path in (run.report, run.card, run.network):
        run.write_bytes(path, b"x")
    run.write_bytes(run.lock, b"")
    return run.path


def link_to_a_file(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "secret")


def link_to_a_folder(place: Path, outside: Path) -> None:
    place.symlink_to(outside)


def link_to_nothing(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "gone")


def link_to_a_device(place: Path, outside: Path) -> None:
    place.symlink_to("/dev/zero")


def pipe(place: Path, outside: Path) -> None:
    os.mkfifo(place)


def unix_socket(place: Path, outside: Path) -> None:
    before = Path.cwd()
    os.chdir(place.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(place.name)
    finally:
        os.chdir(before)


def folder(place: Path, outside: Path) -> None:
    place.mkdir()


def empty_file(place: Path, outside: Path) -> None:
    place.touch()


def huge_file(place: Path, outside: Path) -> None:
    with place.open("wb") as file:
        file.truncate(100 * 2**30)


LINKS = (link_to_a_file, link_to_a_folder, link_to_nothing, link_to_a_device)
STRAYS = (*LINKS, pipe, unix_socket)
"""What is refused under every name, before anything is done."""


def call(command: str, *words: object) -> tuple[int, str]:
    """A command in this process; its exit code and what it printed. It must not hang or end in a traceback."""
    with limited(command):
        result = CliRunner().invoke(application(command), [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


@cache
def application(command: str) -> typer.Typer:
    """Typer takes longer to build one than a command takes to refuse a run."""
    app = typer.Typer()
    app.command()(grouped(guarded(getattr(import_module(f"cnnctl.cli.{command}"), f"{command}_cli"))))
    return app


@contextmanager
def limited(what: str) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise AssertionError(f"{what} hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


COMMANDS: dict[str, Callable[[Path, Path], tuple[int, str]]] = {
    "predict": lambda run, image: call("predict", image, "--run", run, "--format", "csv"),
    "summary": lambda run, image: call("summary", run),
    "compare": lambda run, image: call("compare", run, run.parent / "other"),
    "report": lambda run, image: call("report", run),
    "card": lambda run, image: call("card", run, "--overwrite"),
    "push": lambda run, image: call("push", run, run.parent / "pushed", "--overwrite"),
    "evaluate": lambda run, image: call("evaluate", run),
    "evaluate --data": lambda run, image: call("evaluate", run, "--data", image.parent.parent),
    "explain": lambda run, image: call("explain", image, "--run", run, "--numbers"),
    "export": lambda run, image: call("export", run, "--output", run.parent / "x.onnx", "--quantize", "float16"),
    "resume": lambda run, image: call("train", "--resume", run),
}
WRITERS = {"report", "card", "push", "evaluate", "evaluate --data", "resume"}
"""Those that look through the whole run first."""


@pytest.fixture
def stage(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `run` and `other`, class folders of an image each, and `outside`, which is not to be touched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "write_plots", lambda *_: None)
    monkeypatch.setattr(gather, "_samples", lambda *_: (None, None, None))
    shutil.copytree(original, tmp_path / "run")
    shutil.copytree(original, tmp_path / "other", copy_function=os.link)
    (tmp_path / "photos" / "3").mkdir(parents=True)
    (tmp_path / "photos" / "8").mkdir()
    image = Run(original).read_split("test")[0][0]
    for name in ("3", "8"):
        shutil.copy(image, tmp_path / "photos" / name / "a.png")
    (tmp_path / "outside" / ".draft.part").mkdir(parents=True)
    (tmp_path / "outside" / "secret").write_bytes(SECRET)
    (tmp_path / "outside" / "epoch-0001.npz").write_bytes(b"mine")
    (tmp_path / "outside" / ".draft.part" / "f").write_bytes(b"mine")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def put(stage: Path, name: str, make: Callable[[Path, Path], None]) -> Path:
    place = stage / "run" / name
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    make(place, stage / "outside")
    return place


def test_links_pipes_and_devices_are_refused_by_name(stage: Path) -> None:
    image, before = stage / "photos" / "3" / "a.png", contents(stage / "outside")
    turns = itertools.cycle(COMMANDS)
    for name in sorted(OWN):
        keep = stage / "kept"
        if name != "thresholds.json":  # which this run has no need of
            (stage / "run" / name).rename(keep)
        for make in STRAYS:
            place = put(stage, name, make)
            for command in COMMANDS if make is link_to_a_file else (next(turns), next(turns)):
                code, said = COMMANDS[command](stage / "run", image)
                assert code == 4, (name, make, command, said)
                what = "is a link" if make in LINKS else "not a regular file"
                assert name in said, (name, make, command, said)
                assert what in said, (name, make, command, said)
            assert os.path.lexists(place)
            place.unlink()
        if keep.exists():
            keep.rename(stage / "run" / name)
        assert contents(stage / "outside") == before


def test_deep_links_are_refused_by_what_writes(stage: Path) -> None:
    image, before = stage / "photos" / "3" / "a.png", contents(stage / "outside")
    for name in (
        "plots/mistakes.png",
        "plots/extra.png",
        "checkpoints/epoch-0003.npz",
        "checkpoints/digests.bin",
        "evaluations/1",
        "evaluations/1/plots",
        "evaluations/1/plots/f1.png",
        "tensorboard/train",
        "tensorboard/train/events.out.tfevents.1.x",
    ):
        keep = stage / "kept"
        place = stage / "run" / name
        if place.exists():
            place.rename(keep)
        for make in (link_to_a_file, link_to_nothing, pipe):
            put(stage, name, make)
            for command in WRITERS:
                code, said = COMMANDS[command](stage / "run", image)
                assert code == 4, (name, make, command, said)
                assert name in said, (name, make, command, said)
            place.unlink()
        if keep.exists():
            keep.rename(place)
        assert contents(stage / "outside") == before


@pytest.mark.parametrize("make", [folder, huge_file, empty_file])
def test_other_things_in_place_of_a_file(stage: Path, make: Callable[[Path, Path], None]) -> None:
    """They are named by the commands that read them; those that do not need them go on."""
    image = stage / "photos" / "3" / "a.png"
    readers = {
        "config.yaml": {"summary", "compare", "report", "explain", "resume", "evaluate --data"},
        "classes.json": {"summary", "compare", "report", "evaluate", "predict", "explain", "export"},
        "split.csv": {"report", "evaluate", "export"},
        "model.keras": {"explain"},
        "model.onnx": {"predict", "evaluate", "evaluate --data", "explain", "export"},
        "history.csv": set(),
        "metrics.json": {"compare", "report", "evaluate"},
        "predictions.csv": {"compare"},
        "environment.json": {"compare", "report"},
        "plots": {"report"},
        "checkpoints": {"resume"},
    }
    if make is folder:
        del readers["plots"], readers["checkpoints"]
    for name, commands in readers.items():
        keep = stage / "kept"
        (stage / "run" / name).rename(keep)
        for command in sorted(commands):
            put(stage, name, make)
            code, said = COMMANDS[command](stage / "run", image)
            assert code in (2, 3, 4), (name, command, code, said)
            if make is not empty_file and command != "resume":
                assert name in said, (name, command, said)
                assert ("is a folder" if make is folder else "bytes, more than" if "." in name else "is a file") in said
        put(stage, name, lambda place, outside: None)
        keep.rename(stage / "run" / name)


def test_runs_lists_the_others_and_says_why(stage: Path) -> None:
    for name in ("config.yaml", "history.csv", "environment.json", "metrics.json", "model.keras", "split.csv"):
        for make in (*STRAYS, folder, huge_file):
            put(stage, name, make)
            code, said = call("runs", stage)
            assert code == 0, (name, make)
            assert f"run is damaged: {name}" in said, (name, make, said)
            assert "other" in said
            assert "complete" in said, (name, make, said)
        shutil.rmtree(stage / "run")
        shutil.copytree(stage / "other", stage / "run")


def test_a_run_and_latest_may_be_links(stage: Path) -> None:
    (stage / "runs").mkdir()
    (stage / "runs" / "latest").symlink_to(stage / "run")
    assert call("evaluate", stage / "runs" / "latest")[0] == 0
    (stage / "runs" / "name").symlink_to(stage)
    assert call("report", stage / "runs" / "name" / "run")[0] == 0


def test_the_size_of_a_table_is_not_taken_for_its_lines(stage: Path) -> None:
    with (stage / "run" / "split.csv").open("r+b") as file:
        file.truncate(7 * 2**30)
    code, said = call("evaluate", stage / "run")
    assert code == 4
    assert "split.csv cannot be read: it has a line without end" in said


def test_a_new_run_is_not_begun_in_a_folder_with_a_lock_that_is_a_link(stage: Path) -> None:
    shutil.rmtree(stage / "run")
    (stage / "run").mkdir()
    for make in STRAYS:
        put(stage, ".lock", make)
        code, said = call("train", stage / "other" / "config.yaml", "--output", stage / "run")
        assert (code, "/.lock is a" in said) == (4, True), said
        assert os.listdir(stage / "run") == [".lock"]
    assert (stage / "outside" / "secret").read_bytes() == SECRET


def test_hard_links_are_not_written_through(stage: Path) -> None:
    secret, run = stage / "outside" / "secret", Run(stage / "run")
    for name in ("report.html", "metrics.json", "predictions.csv", "log.txt"):
        put(stage, name, lambda place, outside: os.link(secret, place))
    run.metrics.unlink()
    shutil.copy(stage / "other" / "metrics.json", run.metrics)
    assert call("report", run.path)[0] == 0
    assert call("evaluate", run.path)[0] == 0
    with run.appending(run.log) as log:
        log.write(b"more")
    assert run.log.read_bytes() == SECRET + b"more"
    assert secret.read_bytes() == SECRET
    put(stage, ".lock", lambda place, outside: os.link(secret, place))
    code, said = call("report", run.path)
    assert (code, ".lock is the same file as another one" in said) == (4, True)
    assert secret.read_bytes() == SECRET


def test_the_lock_of_a_stranger(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(SECRET)
    for make in STRAYS:
        put_at = tmp_path / ".lock"
        make(put_at, tmp_path)
        with pytest.raises(UnfitFileError):
            try_lock(put_at)
        assert not is_held(put_at)
        put_at.unlink()


def test_what_is_swept_lies_in_the_run(tmp_path: Path) -> None:
    run, outside = Run(tmp_path / "run"), tmp_path / "outside"
    (outside / ".draft.part").mkdir(parents=True)
    (outside / ".draft.part" / "f").touch()
    (outside / ".a.part").touch()
    deep = run.path / ".x.part"
    for _ in range(400):
        deep /= "d"
    deep.mkdir(parents=True)
    run.plots.mkdir()
    (run.path / ".y.part").symlink_to(outside)
    (run.plots / ".z.part").symlink_to(outside)
    (run.plots / "inner").symlink_to(outside)
    sweep(run)
    assert sorted(os.listdir(run.path)) == ["plots"]
    assert os.listdir(run.plots) == ["inner"]
    assert sorted(os.listdir(outside)) == [".a.part", ".draft.part"]
    run.evaluations.symlink_to(outside)
    with pytest.raises(RunError, match="evaluations is a link"):
        sweep(run)
    assert sorted(os.listdir(outside)) == [".a.part", ".draft.part"]


def test_a_folder_that_is_exchanged_while_a_file_is_written(tmp_path: Path) -> None:
    run, outside = Run(tmp_path / "run"), tmp_path / "outside"
    run.plots.mkdir(parents=True)
    outside.mkdir()
    with run.replacing(run.plots / "a.png") as file:
        run.plots.rename(tmp_path / "moved")
        run.plots.symlink_to(outside)
        file.write(b"x")
    assert os.listdir(outside) == []
    assert (tmp_path / "moved" / "a.png").read_bytes() == b"x"


def test_a_file_that_is_exchanged_after_it_was_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "run", {"a": True})
    (tmp_path / "secret").write_bytes(SECRET)
    honest = inside.Folder.state

    def exchanged(folder: inside.Folder, name: str) -> os.stat_result | None:
        found = honest(folder, name)
        if name == "classes.json" and not run.classes.is_symlink():
            run.classes.unlink()
            run.classes.symlink_to(tmp_path / "secret")
        return found

    monkeypatch.setattr(inside.Folder, "state", exchanged)
    with pytest.raises(UnfitFileError, match="is a link"):
        run.read_bytes(run.classes)


def test_where_nothing_is_opened_relative_to_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "_IS_RELATIVE", False)
    run = Run(tmp_path / "run")
    (tmp_path / "run").mkdir()
    run.write_text(run.plots / "a.txt", "x")
    assert run.read_text(run.plots / "a.txt") == "x"
    assert run.next_evaluation() == run.evaluations / "1"
    run.checkpoints.symlink_to(tmp_path)
    for refused in (lambda: run.has(run.checkpoints / "a"), lambda: run.write_text(run.checkpoints / "a", "x")):
        with pytest.raises(UnfitFileError, match="checkpoints is a link"):
            refused()


def test_latest_of_a_stranger_is_not_read_whole(tmp_path: Path) -> None:
    write_run(tmp_path / "1", {"a": True})
    with (tmp_path / "latest").open("wb") as file:
        file.truncate(100 * 2**30)
    assert call("runs", tmp_path)[0] == 0


@pytest.mark.parametrize("target", ["latest", "gone", "/dev/zero"])
def test_latest_of_a_stranger_leads_anywhere(tmp_path: Path, target: str) -> None:
    write_run(tmp_path / "1", {"a": True})
    (tmp_path / "latest").symlink_to(target)
    assert call("runs", tmp_path)[0] == 0


def test_a_config_that_is_slow_to_search(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": True})
    lines = "".join("train:\n  epochs: 1\n" + "  early_stopping: null\n" * 100 for _ in range(200))
    run.config.write_text(lines + "  x: y\n")
    assert call("runs", tmp_path)[0] == 0


def test_the_real_commands(stage: Path) -> None:
    os.mkfifo(stage / "pipe")
    put(stage, "config.yaml", link_to_a_device)
    done = cnnctl("runs", stage, cwd=stage)
    assert (done.returncode, "run is damaged: config.yaml is a link" in done.stderr + done.stdout) == (0, True)
    put(stage, "config.yaml", pipe)
    done = cnnctl("predict", "photos/3/a.png", "--run", "run", cwd=stage)
    assert (done.returncode, "run/config.yaml is a named pipe, not a regular file" in done.stderr) == (4, True)


def test_read_and_written_files_of_a_run_go_through_it() -> None:
    """No code opens a run's file by its path: a method of Run does."""
    names = "|".join(name for name, value in vars(Run.__mro__[1]).items() if type(value).__name__ == "_Inside")
    by_path = re.compile(
        rf"\b(?:run|_run)\.(?:{names})(?: / [^)\n]*)?\)?\."
        r"(?:open|read_|write_|is_file|is_dir|exists|glob|iterdir|unlink)"
        rf"|files\.(?:write_|replacing|read_)\w*\((?:self\.)?_?run\.(?:{names})\b"
    )
    root = Path(package.__file__).parent
    found = [
        f"{path.name}: {line.strip()}"
        for path in root.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if by_path.search(line)
    ]
    assert found == []
    assert by_path.search("files.write_json(run.metrics, {})")
    assert by_path.search("run.config.read_text()")

"""A run at other places: what is sent, that it comes back the same, and what is refused on the way."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

import cnnctl as package
from cnnctl.errors import MachineError, RunError, UsageError
from cnnctl.runs import Run
from cnnctl.transfer import sums
from cnnctl.transfer.pull import pull
from cnnctl.transfer.push import push
from cnnctl.transfer.sums import SUMS
from tests.inference.build import colour_run, paint
from tests.transfer.hub import TOKEN, Hub, standing_in

STAY = ("checkpoints/epoch-0001.npz", "tensorboard/train/events.x", "mlflow.json", "wandb.json", ".lock", "notes.txt")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a model that answers, and with what is not sent."""
    made = colour_run(tmp_path_factory.mktemp("made") / "original")
    for path in (made.keras_model, made.split, made.predictions, made.plots / "f1.png"):
        made.write_bytes(path, path.name.encode())
    made.write_bytes(made.evaluations / "1" / "plots" / "f1.png", b"deep")
    made.write_json(made.metrics, {"accuracy": 1.0, "split": "test"})
    for name in STAY:
        (made.path / name).parent.mkdir(parents=True, exist_ok=True)
        (made.path / name).write_bytes(b"mine")
    return made.path


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(original, tmp_path / "original")))


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    yield system
    if system.exists("/bucket"):
        system.rm("/bucket", recursive=True)


@pytest.fixture(scope="module")
def _hub() -> Iterator[Hub]:
    with standing_in() as server:
        yield server


@pytest.fixture
def hub(_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The stand-in, to which huggingface_hub's own client is led."""
    from huggingface_hub import constants

    _hub.models.clear()
    _hub.commits.clear()
    monkeypatch.setattr(constants, "ENDPOINT", _hub.url)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    address = f"{_hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)
    return _hub


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sent(run: Run) -> dict[str, bytes]:
    return {name: content for name, content in contents(run.path).items() if name not in STAY}


def test_there_and_back_by_a_folder(run: Run, tmp_path: Path) -> None:
    pushed = push(run, str(tmp_path / "shared" / "photos"))
    there = contents(tmp_path / "shared" / "photos")
    listed = there.pop(SUMS)
    assert there == sent(run)
    assert set(pushed.files) == set(there)
    assert pushed.size == sum(map(len, there.values()))
    assert os.listdir(tmp_path / "shared") == ["photos"]
    (tmp_path / "shared" / "photos" / SUMS).write_bytes(listed)
    check = ["sha256sum", "--check", "--strict", "--quiet", SUMS]
    subprocess.run(check, cwd=tmp_path / "shared" / "photos", check=True)
    back = pull(str(tmp_path / "shared" / "photos"), tmp_path / "back")
    assert contents(back.path) == there
    image = paint(tmp_path / "red.png", 250, 5, 5)
    assert package.Predictor(back.path).predict(image).label == package.Predictor(run.path).predict(image).label
    assert not (tmp_path / "back").stat().st_mode & 0o077 or (tmp_path / "back").stat().st_mode & 0o050


def test_without_a_name_it_is_the_next_run_of_its_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    push(run, "shared/my photos")
    assert [pull("shared/my photos").path, pull("shared/my photos/").path] == [
        Path("runs/my-photos/1"),
        Path("runs/my-photos/2"),
    ]
    assert not Path("runs/latest").exists()


def test_nothing_is_overwritten_unsaid(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "photos"
    push(run, str(target))
    before = contents(target)
    with pytest.raises(UsageError, match="is not empty") as raised:
        push(run, str(target))
    assert raised.value.hint == "--overwrite replaces what cnnctl push put there"
    assert contents(target) == before
    (run.plots / "f1.png").unlink()
    run.write_json(run.metrics, {"accuracy": 0.5, "split": "test"})
    push(run, str(target), overwrite=True)
    assert contents(target).keys() == before.keys() - {"plots/f1.png"}
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="cnnctl push did not fill it"):
        push(run, str(mine), overwrite=True)
    with pytest.raises(UsageError, match="is not empty"):
        pull(str(target), mine)
    assert contents(mine) == {"a.jpg": b"x"}


def test_a_folder_is_there_as_a_whole_or_not_at_all(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "photos"

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(run, str(target), progress=stop)
    assert not target.exists()
    push(run, str(target))
    before = contents(target)
    with pytest.raises(KeyboardInterrupt):
        push(run, str(target), overwrite=True, progress=stop)
    assert contents(target) == before
    with pytest.raises(KeyboardInterrupt):
        pull(str(target), tmp_path / "back", stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["original", "photos"]


def test_there_and_back_by_a_bucket(run: Run, tmp_path: Path, memory: fsspec.AbstractFileSystem) -> None:
    push(run, "memory://bucket/photos")
    assert contents(pull("memory://bucket/photos", tmp_path / "back").path) == sent(run)
    with pytest.raises(UsageError, match="is not empty"):
        push(run, "memory://bucket/photos")
    (run.plots / "f1.png").unlink()
    push(run, "memory://bucket/photos/", overwrite=True)
    there = {name.removeprefix("/bucket/photos/") for name in memory.find("/bucket/photos")}
    assert there == {*sent(run), SUMS}
    assert contents(pull("memory://bucket/photos", tmp_path / "again").path) == sent(run)


def test_what_was_cut_short_in_a_bucket_is_no_run(run: Run, tmp_path: Path, memory: fsspec.AbstractFileSystem) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(run, "memory://bucket/photos", progress=stop)
    assert memory.find("/bucket/photos")
    with pytest.raises(RunError, match=f"has no {SUMS}"):
        pull("memory://bucket/photos", tmp_path / "back")
    push(run, "memory://bucket/photos", overwrite=True)
    with pytest.raises(KeyboardInterrupt):
        push(run, "memory://bucket/photos", overwrite=True, progress=stop)
    with pytest.raises(RunError, match=f"has no {SUMS}"):
        pull("memory://bucket/photos", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_there_and_back_by_the_hub(run: Run, tmp_path: Path, hub: Hub) -> None:
    push(run, "hf://me/photos")
    assert hub.private == {"me/photos": True}
    assert hub.commits == ["Push original with cnnctl"]
    assert hub.models["me/photos"].keys() == {*sent(run), SUMS, ".gitattributes"}
    assert contents(pull("hf://me/photos", tmp_path / "back").path) == sent(run)
    with pytest.raises(UsageError, match="is not empty"):
        push(run, "hf://me/photos")
    (run.plots / "f1.png").unlink()
    push(run, "hf://me/photos", overwrite=True)
    assert len(hub.commits) == 2
    assert contents(pull("hf://me/photos@main", tmp_path / "again").path) == sent(run)
    push(run, "hf://me/open", public=True, only_model=True)
    assert hub.private["me/open"] is False
    with pytest.raises(RunError, match=f"hf://me/gone has no {SUMS}"):
        pull("hf://me/gone", tmp_path / "gone")


def test_the_model_alone_names_no_images(run: Run, tmp_path: Path) -> None:
    pushed = push(run, str(tmp_path / "photos"), only_model=True)
    assert {"model.onnx", "classes.json", "metrics.json"} <= set(pushed.files)
    assert {"split.csv", "predictions.csv", "plots/f1.png", "evaluations/1/plots/f1.png"}.isdisjoint(pushed.files)
    image = paint(tmp_path / "red.png", 250, 5, 5)
    back = pull(str(tmp_path / "photos"), tmp_path / "back")
    assert package.Predictor(back.path).predict(image).label == package.Predictor(run.path).predict(image).label


@pytest.mark.parametrize("target", ["hf://me", "hf://me/", "hf://a/b/c", "hf:///photos"])
def test_what_is_no_place_on_the_hub(run: Run, target: str) -> None:
    with pytest.raises(UsageError, match="is no place on the hub"):
        push(run, target)


def test_what_cannot_be_sent(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--public is about hf://"):
        push(run, str(tmp_path / "x"), public=True)
    monkeypatch.setattr("cnnctl.transfer.places.Hub.names", lambda self: [])
    with pytest.raises(UsageError, match="names a revision"):
        push(run, "hf://me/photos@v1")
    (run.plots / "f1.png").unlink()
    (run.plots / "f1.png").symlink_to("/etc/passwd")
    with pytest.raises(RunError, match="is a link"):
        push(run, str(tmp_path / "x"))
    (run.plots / "f1.png").unlink()
    run.metrics.unlink()
    with pytest.raises(RunError, match=r"has no metrics\.json"):
        push(run, str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("module", "extra", "target"), [("huggingface_hub", "hub", "hf://me/x"), ("fsspec", "remote", "s3://x")]
)
def test_a_missing_package_is_named(
    module: str, extra: str, target: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MachineError, match=f"needs {module}, which is not installed") as raised:
        push(run, target)
    assert raised.value.hint == f"pip install '.[{extra}]' from a checkout of cnnctl"


@pytest.fixture
def pushed(run: Run, tmp_path: Path) -> Path:
    push(run, str(tmp_path / "photos"))
    return tmp_path / "photos"


def rewrite(folder: Path, old: str, new: str) -> None:
    content = (folder / SUMS).read_text()
    assert old in content
    (folder / SUMS).write_text(content.replace(old, new))


@pytest.mark.parametrize(
    "name",
    [
        *("../escaped", "/etc/passwd", "plots/../../escaped", "plots//f1.png", "./model.onnx", "a/b/c/d/e"),
        *("other.txt", ".lock", "checkpoints/epoch-0001.npz", "plots/.hidden", "plots/a\\b", "evaluations/1/2/3/4.png"),
    ],
)
def test_a_list_names_nothing_but_files_of_a_run(pushed: Path, tmp_path: Path, name: str) -> None:
    rewrite(pushed, "plots/f1.png", name)
    with pytest.raises(RunError, match="names something that is no file of a run"):
        pull(str(pushed), tmp_path / "deep" / "back")
    assert not (tmp_path / "deep").exists()
    assert not (tmp_path / "escaped").exists()


def test_a_file_that_is_not_what_the_list_says(pushed: Path, tmp_path: Path) -> None:
    (pushed / "model.onnx").write_bytes(b"another")
    with pytest.raises(RunError, match=r"model\.onnx of .* is not what its SHA256SUMS says"):
        pull(str(pushed), tmp_path / "back")
    (pushed / "model.onnx").unlink()
    with pytest.raises(RunError, match="has no such file"):
        pull(str(pushed), tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_folder_of_a_stranger(pushed: Path, tmp_path: Path) -> None:
    """No link in it is followed, no device is read, and what is larger than cnnctl reads is refused."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine")
    digest = hashlib.sha256(b"mine").hexdigest()
    text = (pushed / SUMS).read_text()
    line = next(one for one in text.splitlines() if one.endswith("classes.json"))
    (pushed / SUMS).write_text(text.replace(line, f"{digest}  classes.json"))
    for outside in (secret, Path("/dev/zero")):
        (pushed / "classes.json").unlink()
        (pushed / "classes.json").symlink_to(outside)
        with pytest.raises(RunError, match="is a link"):
            pull(str(pushed), tmp_path / "back")
    (pushed / "classes.json").unlink()
    os.mkfifo(pushed / "classes.json")
    with pytest.raises(RunError, match="not a regular file"):
        pull(str(pushed), tmp_path / "back")
    (pushed / "classes.json").unlink()
    with (pushed / "classes.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(RunError, match="more than the"):
        pull(str(pushed), tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_bucket_that_never_ends(
    run: Run, tmp_path: Path, memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(run, "memory://bucket/photos")
    monkeypatch.setattr("cnnctl.transfer.pull.most_bytes", lambda path: 10)
    with pytest.raises(RunError, match="has more than the 10 bytes"):
        pull("memory://bucket/photos", tmp_path / "back")
    memory.pipe(f"/bucket/photos/{SUMS}", b"0" * 3 * 2**20)
    with pytest.raises(RunError, match="names something that is no file of a run"):
        pull("memory://bucket/photos", tmp_path / "back")


def test_a_place_that_cannot_be_reached(run: Run, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="nothing:// cannot be used"):
        push(run, "nothing://bucket/x")
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="cannot be used"):
        push(run, str(tmp_path / "file"))
    with pytest.raises(RunError, match=f"has no {SUMS}"):
        pull(str(tmp_path / "gone"))


def test_every_file_of_a_run_may_be_in_a_list(run: Run) -> None:
    assert all(map(sums.is_fit, sums.names_of(run)))
    assert shutil.which("sha256sum")

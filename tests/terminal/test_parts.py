"""Predictions in parts: whole or not there, done once, shared among several commands."""

import csv
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from pyarrow import parquet as arrow_parquet

from cnnctl.data.table import Columns
from cnnctl.errors import DataError, MachineError, UsageError
from cnnctl.inference.inputs import expand_inputs
from cnnctl.inference.model import Classifier, load_classifier
from cnnctl.inference.stream import classify
from cnnctl.terminal import parts, parts_on_ray
from cnnctl.terminal.parts import Shard, begin, parse_shard, plan_parts, write_parts
from cnnctl.terminal.parts_on_ray import Work, write_parts_on_ray
from tests.inference.build import colour_run, paint

ABOUT = {"model": "abc", "format": "csv"}


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return load_classifier(colour_run(tmp_path / "run"))


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Eleven images, the last but one no image, in parts of four."""
    monkeypatch.setattr(parts, "IMAGES_A_PART", 4)
    found = [paint(tmp_path / "in" / f"{number:02}.png", 20 * number, 100, 0) for number in range(11)]
    Path(found[9]).write_text("none")
    return found


class Answering:
    """What answers, and which images it was asked for."""

    def __init__(self, classifier: Classifier, breaks_at: str | None = None) -> None:
        self.asked: list[str] = []
        self._classifier = classifier
        self._breaks_at = breaks_at

    def __call__(self, paths):
        for answer in classify(self._classifier, paths):
            if answer.path == self._breaks_at:
                raise KeyboardInterrupt
            self.asked.append(answer.path)
            yield answer


def write(folder, form, photos, answers, shard=None, coverage=None):
    told: list[str] = []
    folder.mkdir(exist_ok=True)
    return write_parts(plan_parts(folder, form, photos, shard), form, coverage, answers, told.append), told


def rows(path: Path, form: str) -> list[dict]:
    if form == "parquet":
        return arrow_parquet.read_table(path).to_pylist()
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream)) if form == "csv" else [json.loads(line) for line in stream]


@pytest.mark.parametrize("form", parts.FORMATS)
def test_every_image_has_its_row_in_a_part(form, classifier, photos, tmp_path):
    written, told = write(tmp_path / "out", form, photos, Answering(classifier))
    assert (written.parts, written.images, written.failed) == (3, 11, 1)
    assert [line.partition(",")[0] for line in told] == [
        f"part-00000.{form}: 4 images",
        f"part-00001.{form}: 4 images",
        f"part-00002.{form}: 3 images",
    ]
    found = [row for number in range(3) for row in rows(tmp_path / "out" / f"part-0000{number}.{form}", form)]
    assert [row["path"] for row in found] == photos
    expected = [answer.prediction and answer.prediction.label for answer in classify(classifier, photos)]
    assert [row["label"] or None for row in found] == expected
    assert [bool(row.get("error")) for row in found] == [number == 9 for number in range(11)]


@pytest.mark.parametrize("form", parts.FORMATS)
def test_what_is_there_is_not_done_again(form, classifier, photos, tmp_path):
    stopped = Answering(classifier, breaks_at=photos[6])
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", form, photos, stopped)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"part-00000.{form}"]
    resumed = Answering(classifier)
    written, told = write(tmp_path / "out", form, photos, resumed)
    assert resumed.asked == photos[4:]
    assert told[0] == f"part-00000.{form}: 4 images, there already"
    assert (written.parts, written.images, written.failed) == (3, 11, 1)
    idle = Answering(classifier)
    assert write(tmp_path / "out", form, photos, idle)[0] == written
    assert idle.asked == []


def test_shares_are_all_parts_and_none_twice(classifier, photos, tmp_path):
    answering = [Answering(classifier) for _ in range(2)]
    written = [write(tmp_path / "out", "csv", photos, one, Shard(at, 2))[0] for at, one in enumerate(answering)]
    assert [one.parts for one in written] == [2, 1]
    assert sorted(answering[0].asked + answering[1].asked) == photos
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.parametrize("form", parts.FORMATS)
def test_other_images_are_not_mixed_in(form, classifier, photos, tmp_path):
    write(tmp_path / "out", form, photos, Answering(classifier))
    with pytest.raises(UsageError, match=r"part-00000\..* is of other images"):
        write(tmp_path / "out", form, photos[1:], Answering(classifier))
    (tmp_path / "out" / f"part-00000.{form}").write_bytes(b"\xff{ none")
    with pytest.raises((DataError, UsageError), match="part-00000"):
        write(tmp_path / "out", form, photos, Answering(classifier))


def test_a_name_that_is_no_utf8_comes_through(classifier, photos, tmp_path):
    named = [str(tmp_path / "in" / "caf\udce9.png")]
    paint(Path(named[0].encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")), 9, 9, 200)
    for form in parts.FORMATS:
        for _ in range(2):
            assert write(tmp_path / f"out-{form}", form, named, Answering(classifier))[0].images == 1


def test_a_folder_is_begun_once(tmp_path):
    begin(tmp_path / "out", ABOUT)
    begin(tmp_path / "out", ABOUT)
    with pytest.raises(UsageError, match="begun with another format and model"):
        begin(tmp_path / "out", {"model": "def", "format": "jsonl"})
    (tmp_path / "mine").mkdir()
    begin(tmp_path / "mine", ABOUT)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="not empty"):
        begin(tmp_path / "photos", ABOUT)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]
    (tmp_path / "out" / parts.ABOUT).write_text("{")
    with pytest.raises(DataError, match=r"predict\.json cannot be read"):
        begin(tmp_path / "out", ABOUT)


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2", "1/2/3"])
def test_what_is_no_share(text):
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)


def test_a_share():
    assert parse_shard("2/8") == Shard(1, 8)


def test_a_table_in_parquet_lists_images(classifier, photos, tmp_path, monkeypatch):
    import pyarrow

    table = pyarrow.table({"path": ["in/00.png", "in/01.png", "s3://bucket/a.png"], "note": ["a", "b", "c"]})
    arrow_parquet.write_table(table, tmp_path / "list.parquet")
    found = list(expand_inputs([str(tmp_path / "list.parquet")], Columns))
    assert found == [*photos[:2], "s3://bucket/a.png"]
    with pytest.raises(DataError, match="no column file; it has path, note"):
        list(expand_inputs([str(tmp_path / "list.parquet")], lambda: Columns("file")))
    (tmp_path / "bad.parquet").write_bytes(b"none")
    with pytest.raises(DataError, match="no Parquet file"):
        list(expand_inputs([str(tmp_path / "bad.parquet")], Columns))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MachineError, match="needs pyarrow") as caught:
        list(expand_inputs([str(tmp_path / "list.parquet")], Columns))
    assert "'.[parquet]'" in str(caught.value.hint)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # JAX minds that Ray forks
def test_a_cluster_writes_the_same_parts(classifier, photos, tmp_path, monkeypatch):
    """Also after a process of it was killed."""
    pytest.importorskip("ray", reason="Ray is not installed")
    write(tmp_path / "here", "csv", photos, Answering(classifier))
    (tmp_path / "there").mkdir()
    told: list[str] = []
    write_one, died = parts_on_ray._write, tmp_path / "died"

    def dies_once(part, work):
        if not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return write_one(part, work)

    monkeypatch.setattr(parts_on_ray, "_write", dies_once)
    work = Work(str(tmp_path / "run"), "csv", None, None, 3)
    written = write_parts_on_ray(plan_parts(tmp_path / "there", "csv", photos), work, None, told.append)
    assert died.exists()
    assert (written.parts, written.images, written.failed) == (3, 11, 1)
    assert told[0] == "1 host of a Ray cluster"
    for part in (tmp_path / "here").iterdir():
        assert (tmp_path / "there" / part.name).read_bytes() == part.read_bytes()


def test_without_ray_the_extra_is_named(monkeypatch, photos, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    work = Work(str(tmp_path / "run"), "csv", None, None, 3)
    with pytest.raises(MachineError, match="needs Ray") as caught:
        write_parts_on_ray(plan_parts(tmp_path, "csv", photos), work, None, print)
    assert "'.[ray]'" in str(caught.value.hint)

"""fixes.csv given back: a new data CSV, or every row that cannot be applied by its line; nothing else is touched."""

import csv
from pathlib import Path

import numpy as np
import pytest

from cnnctl.config.schema import CsvColumns, DataSettings, Share, Source
from cnnctl.data.decoder.images import opencv
from cnnctl.errors import DataError, UsageError
from cnnctl.examining.fixes import COLUMNS, apply_fixes
from cnnctl.examining.subject import find_subject
from tests.cli.command import fail

HEADER = ",".join(COLUMNS)


@pytest.fixture
def data(tmp_path: Path) -> DataSettings:
    """cat/0.png to cat/4.png, and as many dogs; two images of the test set."""
    for folder, count in (("all/cat", 5), ("all/dog", 5), ("test/cat", 1), ("test/dog", 1)):
        for number in range(count):
            path = tmp_path / folder / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(opencv().imencode(".png", np.full((4, 4), number, np.uint8))[1].tobytes())
    return DataSettings(train=str(tmp_path / "all"), validation=Share(0.2), test=Source(str(tmp_path / "test")))


def fixes(folder: Path, *rows: tuple[str, str, str, str], separator: str = ",") -> Path:
    """A file with rows of (name, label, new label, action)."""
    lines = [HEADER, *(f"{folder / name},{label},train,label,,,,{new},{action}" for name, label, new, action in rows)]
    path = folder / "fixes.csv"
    path.write_text("\n".join(lines).replace(",", separator) + "\n")
    return path


def listed(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_actions_make_a_new_list(tmp_path: Path, data: DataSettings, separator: str) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    rows = (
        ("all/cat/0.png", "cat", "dog", "relabel"),
        ("all/cat/1.png", "cat", "dog", ""),  # nobody decided
        ("all/dog/2.png", "dog", "", "Drop"),
        ("all/dog/2.png", "dog", "cat", ""),
        ("all/dog/3.png", "dog", "cat", "keep"),
    )
    made = apply_fixes(data, fixes(tmp_path, *rows, separator=separator), tmp_path / "new")
    assert (made.relabelled, made.dropped, made.images) == (1, 1, 9)
    assert made.written == {"train": tmp_path / "new" / "train.csv"}
    header, *images = listed(tmp_path / "new" / "train.csv")
    assert header == ["path", "label"]
    wanted = {str(tmp_path / "all" / name): label for name, label in (("cat/0.png", "dog"), ("dog/3.png", "dog"))}
    assert wanted.items() <= dict(images).items()
    assert str(tmp_path / "all/dog/2.png") not in dict(images)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.png")} == before


def test_a_config_takes_the_new_list(tmp_path: Path, data: DataSettings) -> None:
    apply_fixes(data, fixes(tmp_path, ("all/cat/0.png", "cat", "dog", "relabel")), tmp_path)
    config = tmp_path / "new.yaml"
    config.write_text("data: {train: train.csv, validation: 0.2}\nmodel: [flatten]\n")
    subject = find_subject(config)
    named = dict(zip(subject.paths, (subject.classes[label] for label in subject.labels), strict=True))
    assert named[str(tmp_path / "all/cat/0.png")] == "dog"
    assert len(named) == 10


def test_sets_of_their_own_and_groups_keep_their_form(tmp_path: Path, data: DataSettings) -> None:
    table = tmp_path / "given.csv"
    names = [f"all/{label}/{number}.png,{label},g{number}" for label in ("cat", "dog") for number in range(5)]
    table.write_text("\n".join(["file,kind,who", *names]) + "\n")
    columns = CsvColumns(path="file", label="kind", group="who")
    grouped = data.model_copy(update={"train": str(table), "csv": columns})
    rows = (("all/cat/0.png", "cat", "", "drop"), ("test/cat/0.png", "cat", "dog", "relabel"))
    made = apply_fixes(grouped, fixes(tmp_path, *rows), tmp_path / "new")
    assert set(made.written) == {"train", "test"}
    assert listed(made.written["train"])[:2] == [
        ["file", "kind", "who"],
        [str(tmp_path / "all/cat/1.png"), "cat", "g1"],
    ]
    assert listed(made.written["test"])[1] == [str(tmp_path / "test/cat/0.png"), "dog"]


def test_rows_that_cannot_be_applied_are_named_by_line(tmp_path: Path, data: DataSettings) -> None:
    rows = (
        ("all/cat/0.png", "cat", "bird", "relabel"),
        ("all/cat/9.png", "cat", "", "drop"),
        ("all/cat/1.png", "dog", "", "drop"),
        ("all/cat/2.png", "cat", "", "remove"),
        ("all/cat/3.png", "cat", "", "relabel"),
        ("all/cat/4.png", "cat", "", "drop"),
        ("all/cat/4.png", "cat", "dog", "relabel"),
        ("all/dog/1.png", "dog", "", "keep"),
        ("all/dog/1.png", "dog", "", "drop"),
    )
    with pytest.raises(DataError) as caught:
        apply_fixes(data, fixes(tmp_path, *rows), tmp_path / "new")
    said = caught.value.message.split("\n  ")
    assert said[0].endswith("fixes.csv: 7 rows cannot be applied:")
    begins = ["line 2: the data has no class bird", "line 3: the data has no image", "line 4: the label of"]
    begins += ["line 5: the action remove", "line 6: the action relabel needs", "line 8: line 7 says otherwise"]
    begins += ["line 10: line 9 says to keep"]
    assert [one.startswith(start) for one, start in zip(said[1:], begins, strict=True)] == [True] * 7
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten_and_no_class_is_lost(tmp_path: Path, data: DataSettings) -> None:
    all_cats = [(f"all/cat/{number}.png", "cat", "", "drop") for number in range(5)]
    with pytest.raises(DataError, match="leaves no training image of the class cat"):
        apply_fixes(data, fixes(tmp_path, *all_cats), tmp_path)
    (tmp_path / "train.csv").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        apply_fixes(data, fixes(tmp_path), tmp_path)
    assert (tmp_path / "train.csv").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("path,label\na,b\n", "has no column new_label"),
        ("path,label,new_label,action\na,b,c,d,e\n", "line 2 of"),
        ('path,label,new_label,action\n"a,b,c,d\n', "is never closed"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, data: DataSettings, text: str, said: str) -> None:
    path = tmp_path / "fixes.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        apply_fixes(data, path, tmp_path)
    assert said in caught.value.message


def test_the_command_line_says_what_goes_together(tmp_path: Path) -> None:
    said = fail(2, "doctor", "a.yaml", "--apply", "b.csv", "--predictions", "c.csv", cwd=tmp_path)
    assert "--apply goes with --output and --set alone" in said
    assert "there is no config at a.yaml" in fail(2, "doctor", "a.yaml", "--apply", "b.csv", cwd=tmp_path)

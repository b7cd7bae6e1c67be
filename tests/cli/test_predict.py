"""`cnnctl predict`: every input gets a row, in every format, whatever it is called."""

import csv
import io
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from cnnctl.system import files
from tests.cli.command import cnnctl, fail, succeed
from tests.conftest import Trained
from tests.inference.build import COLOURED, colour_run, knowing_run, paint


@pytest.fixture
def work(digits_run: Trained, tmp_path: Path) -> Path:
    """A folder with the session's run as its latest one and a few digits."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").symlink_to(digits_run.run)
    digits = Path(os.environ["XDG_CACHE_HOME"]) / "cnnctl" / "digits-1"
    (tmp_path / "in" / "deep").mkdir(parents=True)
    shutil.copy(digits / "3" / "0003.png", tmp_path / "in" / "three.png")
    shutil.copy(digits / "0" / "0000.png", tmp_path / "in" / "deep" / "zéro 0.png")
    (tmp_path / "in" / "bad.png").write_text("no image")
    return tmp_path


def test_one_image_is_a_sentence_first(work: Path) -> None:
    lines = succeed("predict", "in/three.png", "--top", "2", cwd=work).splitlines()
    label, percent = lines[0].split(" ")
    assert label in set("0123456789")
    assert percent.startswith("(")
    assert percent.endswith("%)")
    assert lines[2].split() == ["class", "probability"]
    assert lines[4].split() == [label, percent.strip("()")]
    assert len(lines) == 6


def test_json_csv_and_jsonl_say_the_same(work: Path) -> None:
    paths = ["in/three.png", "in/deep/zéro 0.png"]
    answers = json.loads(succeed("predict", *paths, "--format", "json", "--top", "10", cwd=work))
    assert [answer["path"] for answer in answers] == paths
    for answer in answers:
        assert set(answer) == {"path", "label", "probability", "top", "unknown", "unknown_score", "unknown_threshold"}
        assert answer["top"][0] == {"label": answer["label"], "probability": answer["probability"]}
        chances = [one["probability"] for one in answer["top"]]
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) == pytest.approx(1, abs=1e-5)
    lines = succeed("predict", *paths, "--format", "jsonl", "--top", "10", cwd=work).splitlines()
    assert [json.loads(line) for line in lines] == answers
    rows = list(csv.DictReader(io.StringIO(succeed("predict", *paths, "--format", "csv", cwd=work))))
    assert [row["label"] for row in rows] == [answer["label"] for answer in answers]
    assert [float(row["probability"]) for row in rows] == [answer["probability"] for answer in answers]
    assert {row["error"] for row in rows} == {""}


def test_a_folder_is_taken_whole_and_a_bad_image_does_not_stop_it(work: Path) -> None:
    done = cnnctl("predict", "in", "--format", "json", cwd=work)
    assert done.returncode == 8
    chosen, error = done.stderr.splitlines()
    assert re.fullmatch(r"run: .*/runs/digits/1 \(test accuracy [0-9.]+%\)", chosen)
    assert error == "error: in/bad.png: it is a text file"
    answers = {answer["path"]: answer for answer in json.loads(done.stdout)}
    assert set(answers) == {"in/bad.png", "in/deep/zéro 0.png", "in/three.png"}
    assert answers["in/bad.png"] == {
        "path": "in/bad.png",
        "label": None,
        "probability": None,
        "top": [],
        "unknown": None,
        "unknown_score": None,
        "unknown_threshold": None,
        "error": "it is a text file",
    }
    assert "error" not in answers["in/three.png"]


def test_paths_from_stdin_and_from_a_csv(work: Path) -> None:
    (work / "list.csv").write_text("path,other\nin/three.png,x\n")
    (work / "only.csv").write_text("file\nin/three.png\n")
    expected = succeed("predict", "in/three.png", "--format", "csv", cwd=work)
    assert succeed("predict", "-", "--format", "csv", cwd=work, stdin="in/three.png\n\n") == expected
    assert succeed("predict", "list.csv", "--format", "csv", cwd=work) == expected
    assert succeed("predict", "only.csv", "--format", "csv", cwd=work) == expected
    for name, text in (
        ("bare.csv", "in/three.png"),
        ("bare.txt", "in/three.png x\n"),
        ("tabs.tsv", "a\tpath\n1\tin/three.png"),
    ):
        (work / name).write_text(text)
        assert succeed("predict", name, "--format", "csv", cwd=work) == expected
    (work / "wrong.csv").write_text("a,b\n1,2\n")
    assert "has no column path" in fail(3, "predict", "wrong.csv", cwd=work)


@pytest.mark.parametrize(
    "name",
    ['quo"te.png', "new\nline.png", "carriage\rreturn.png", "emoji 🐱.png", "-dash.png", os.fsdecode(b"\xff.png")],
)
def test_odd_names_come_back_as_they_were(name: str, work: Path) -> None:
    shutil.copy(work / "in" / "three.png", work / name)
    path = f"./{name}"
    rows = list(csv.DictReader(io.StringIO(succeed("predict", path, "--format", "csv", cwd=work), newline="")))
    assert [row["path"] for row in rows] == [path]
    (answer,) = json.loads(succeed("predict", path, "--format", "json", cwd=work))
    assert answer["path"] == path
    assert "\x1b" not in succeed("predict", path, cwd=work)


def test_output_goes_to_a_file_and_nothing_to_stdout(work: Path) -> None:
    expected = succeed("predict", "in/three.png", "--format", "csv", cwd=work)
    assert succeed("predict", "in/three.png", "--format", "csv", "--output", "out.csv", cwd=work) == ""
    assert (work / "out.csv").read_text() == expected


def test_a_competition_s_answers_have_its_columns_names_and_order(work: Path) -> None:
    (work / "lists").mkdir()
    (work / "lists" / "test.csv").write_text("id,filename\n1,deep/zéro 0.png\n2,three.png\n3,./three.png\n")
    words = ["predict", "lists/test.csv", "--folder", "in", "--format", "csv"]
    rows = list(csv.reader(io.StringIO(succeed(*words, "--columns", "filename,digit", cwd=work))))
    assert [row[0] for row in rows] == ["filename", "deep/zéro 0.png", "three.png", "./three.png"]
    assert [row[1] for row in rows] == ["digit", "0", "3", "3"]
    own = succeed("predict", "in/three.png", "--format", "csv", "--columns", "run", cwd=work)
    assert own.splitlines()[0] == "path,label"
    assert "expected two columns" in fail(2, *words, "--columns", "filename", cwd=work)
    assert "--columns is for --format csv" in fail(2, "predict", "in/three.png", "--columns", "a,b", cwd=work)


def test_the_run_may_come_first(work: Path, digits_run: Trained) -> None:
    (answer,) = json.loads(succeed("predict", digits_run.run, "in/three.png", "--format", "json", cwd=work))
    assert answer["path"] == "in/three.png"
    for named in ("best", "runs/digits/best", "runs/digits"):
        done = cnnctl("predict", named, work / "in" / "three.png", cwd=digits_run.folder)
        assert done.returncode == 0, done.stderr
    assert "two runs are named" in fail(2, "predict", digits_run.run, "in/three.png", "--run", "best", cwd=work)
    assert "is a run, and the images are missing" in fail(2, "predict", digits_run.run, cwd=work)


def test_files_that_are_not_there_are_named_up_to_ten_and_then_counted(work: Path) -> None:
    names = [f"{number}.png" for number in range(14)]
    (work / "gone.csv").write_text("\n".join(["path", *names, "bad.txt"]))
    (work / "bad.txt").write_text("no image")
    said = fail(8, "predict", "gone.csv", "--format", "csv", cwd=work)
    assert said.count("there is no such file") == 11
    assert "error: 4 others: there is no such file" in said
    assert "error: bad.txt: " in said


def test_a_list_with_other_columns_hints_at_the_option(work: Path) -> None:
    (work / "test.csv").write_text("filename,label\na.png,\n")
    said = fail(3, "predict", "test.csv", cwd=work)
    assert "test.csv has no column path; its columns are filename, label" in said
    assert "--format csv --columns PATH,LABEL" in said


@pytest.mark.parametrize("columns", [[], ["--columns", "run"], ["--columns", "file,digit"]])
def test_nothing_is_printed_before_a_list_fails(columns: list[str], work: Path) -> None:
    (work / "list.csv").write_text("image,digit\nin/three.png,3\n")
    done = cnnctl("predict", "list.csv", "--format", "csv", *columns, cwd=work)
    assert (done.returncode, done.stdout) == (3, "")
    (work / "empty.csv").write_text("path\n")
    (header,) = succeed("predict", "empty.csv", "--format", "csv", cwd=work).splitlines()
    assert header == "path,label,probability,error,unknown,unknown_score"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing.png"], 8, "error: nothing.png: there is no such file"),
        (["in/three.png", "--format", "xml"], 2, "there is no format xml"),
        (["in/three.png", "--run", "nowhere"], 4, "there is no run at nowhere"),
        (["in/three.png", "--run", "nowhere/best"], 4, "there is no complete run in nowhere"),
        (["in/three.png", "--top", "0"], 2, "--top"),
        (["empty"], 3, "no image was found in empty"),
    ],
)
def test_mistakes(arguments: list[str], code: int, said: str, work: Path) -> None:
    (work / "empty").mkdir()
    assert said in fail(code, "predict", *arguments, cwd=work)


def test_without_a_run_it_says_which_command_makes_one(tmp_path: Path) -> None:
    said = fail(4, "predict", "x.png", cwd=tmp_path)
    assert "there is no run yet" in said
    assert "hint: `cnnctl train CONFIG` makes one" in said


def test_a_coverage_adds_the_set_of_each_image(work: Path) -> None:
    """The sets of more coverage have the classes of those of less; every format has the same."""
    paths = ["in/three.png", "in/bad.png", "in/deep/zéro 0.png"]
    sets = []
    for coverage in ("0.5", "0.99", "0.999999"):
        done = cnnctl("predict", *paths, "--format", "json", "--coverage", coverage, cwd=work)
        answers = json.loads(done.stdout)
        assert "prediction_set" not in answers[1]
        sets.append([answer.get("prediction_set") for answer in answers])
        assert all(answer["prediction_set"][0] == answer["label"] for answer in answers if answer["label"])
        lines = cnnctl("predict", *paths, "--format", "csv", "--coverage", coverage, cwd=work).stdout.splitlines()
        rows = list(csv.DictReader(lines))
        assert [row["prediction_set"] for row in rows] == ["|".join(one or ()) for one in sets[-1]]
    for small, large in zip(*sets[:2], strict=True):
        assert small is None or small == large[: len(small)]
    assert {len(set(one)) for one in sets[2] if one} == {10}  # more than so few images can promise: every class
    table = succeed("predict", "in/three.png", "--coverage", "0.99", cwd=work).splitlines()
    assert table[-1] == f"99% set: {', '.join(sets[1][0])}"
    several = cnnctl("predict", *paths, "--coverage", "0.99", cwd=work).stdout.splitlines()
    assert re.split(r"\s{2,}", several[0].strip()) == ["path", "class", "probability", "99% set", "then"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--coverage", "95"], "expected a coverage between 0 and 1; received: 95"),
        (["--coverage", "0.9", "--format", "csv", "--columns", "a,b"], "--columns and --coverage cannot be combined"),
    ],
)
def test_a_coverage_that_cannot_be(words: list[str], said: str, work: Path) -> None:
    assert said in fail(2, "predict", "in/three.png", *words, cwd=work)


def test_a_run_without_scores_gets_them_from_evaluate(work: Path, digits_run: Trained) -> None:
    run = shutil.copytree(digits_run.run, work / "old")
    scores = json.loads((run / "prediction_sets.json").read_text())
    (run / "prediction_sets.json").unlink()
    said = fail(4, "predict", "in/three.png", "--run", "old", "--coverage", "0.9", cwd=work)
    assert "old has no prediction_sets.json, which prediction sets need" in said
    assert "hint: if it has validation images, cnnctl evaluate --split validation makes it" in said
    succeed("evaluate", "old", "--split", "validation", cwd=work)
    made = json.loads((run / "prediction_sets.json").read_text())
    assert made["images"] == scores["images"] == 269
    assert [score for _, score in made["ranked_scores"]] == pytest.approx(
        [score for _, score in scores["ranked_scores"]], abs=1e-5
    )


FORMULAS = ("=1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x")


def test_a_safe_csv_has_no_cell_that_a_spreadsheet_runs(tmp_path: Path) -> None:
    colour_run(tmp_path / "run", ("=HYPERLINK(1)", "@no", "blue"))
    scores = {"split": "validation", "images": 1, "ranked_scores": [[1, 1.0]]}
    files.write_json(tmp_path / "run" / "prediction_sets.json", scores)
    names = [*(f"{name}.png" for name in FORMULAS), "plain=.png", "'quoted.png"]
    for number, name in enumerate(names):
        paint(tmp_path / name, *((255, 0, 0), (0, 255, 0))[number % 2])
    given = "\0".join([*names, "=gone.png"])

    def rows(*more: str) -> list[list[str]]:
        done = cnnctl("predict", "-", "-0", "--run", "run", "--format", "csv", *more, cwd=tmp_path, stdin=given)
        assert done.returncode == 8, done.stderr  # the one that is gone
        return list(csv.reader(io.StringIO(done.stdout, newline="")))

    plain, safe = rows("--coverage", "0.5"), rows("--coverage", "0.5", "--safe-csv")
    assert [row[0] for row in plain[1:]] == [*names, "=gone.png"]
    begins = tuple(name[0] for name in FORMULAS)
    assert safe == [[f"'{cell}" if cell.startswith(begins) else cell for cell in row] for row in plain]
    assert {row[1] for row in safe[1:]} == {"'=HYPERLINK(1)", "'@no", ""}
    assert safe[1][4].startswith("'=HYPERLINK(1)|")
    two = rows("--columns", "=id,label", "--safe-csv")
    assert [two[0], two[1], two[-1]] == [["'=id", "label"], ["'=1.png", "'=HYPERLINK(1)"], ["'=gone.png", ""]]
    assert rows("--columns", "=id,label")[1] == ["=1.png", "=HYPERLINK(1)"]
    assert "--safe-csv is for --format csv" in fail(2, "predict", "plain=.png", "--safe-csv", cwd=tmp_path)


def test_an_image_unlike_the_training_images_is_unknown(tmp_path: Path) -> None:
    """A run that was trained on reds and greens; the class that it would have been stands beside it."""
    run = knowing_run(tmp_path / "run")
    run.write_json(run.prediction_sets, {"split": "validation", "images": 4, "ranked_scores": [[4, 0.1]]})
    for name, colour in COLOURED.items():
        paint(tmp_path / f"{name}.png", *colour)
    words = ("predict", "red.png", "blue.png", "--run", "run")
    rows = list(csv.DictReader(io.StringIO(succeed(*words, "--format", "csv", "--coverage", "0.5", cwd=tmp_path))))
    said = [(row["label"], row["prediction_set"], row["unknown"]) for row in rows]
    assert said == [("red", "red", "false"), ("blue", "blue", "true")]
    assert float(rows[0]["unknown_score"]) < 0.5 < float(rows[1]["unknown_score"])
    lines = succeed(*words, cwd=tmp_path).splitlines()
    assert [line.split()[1:3] for line in lines[-2:]] == [["red", "100.0%"], ["unknown", "(blue)"]]
    one = succeed("predict", "blue.png", "--run", "run", cwd=tmp_path)
    assert one.startswith("unknown: unlike the training images; else blue (100.0%)\n")
    assert "unknown" not in succeed(*words, "--no-unknown", cwd=tmp_path)
    answers = succeed(*words, "--format", "csv", "--columns", "a,b", cwd=tmp_path)
    assert answers.splitlines() == ["a,b", "red.png,red", "blue.png,blue"]


def test_a_damaged_file_of_what_is_known_is_named(tmp_path: Path) -> None:
    run = knowing_run(tmp_path / "run")
    run.unknown.write_text('{"threshold": 1e999}')
    path = paint(tmp_path / "red.png", *COLOURED["red"])
    said = fail(4, "predict", path, "--run", "run", cwd=tmp_path)
    assert "run/unknown.json does not hold what cnnctl writes" in said
    assert "hint: remove unknown.json" in said
    succeed("predict", path, "--run", "run", "--no-unknown", cwd=tmp_path)

"""`cnnctl compare` and `cnnctl runs` through the real command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl.runs.directory import mark_latest
from cnnctl.system.locks import try_lock
from tests.cli.command import fail, succeed
from tests.runs.build import images, write_begun, write_run


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three complete runs, one of them the latest, and one that is not."""
    monkeypatch.chdir(tmp_path)
    write_run(Path("runs/cats/1"), images(60, 40))
    best = write_run(Path("runs/cats/2"), images(90, 10), ["seed=1", "train.optimizer=sgd"], finished="2026-03-01")
    write_run(Path("runs/other one/1"), images(80, 20), ["seed=2"], device={"kind": "gpu", "name": "GPU"})
    write_begun(Path("runs/cats/3"), epochs=[0.5, 0.75])
    mark_latest(best)
    return tmp_path


class TestCompare:
    def test_two(self, work: Path) -> None:
        shown = succeed("compare", "runs/cats/1", "runs/cats/2", cwd=work).splitlines()
        assert shown[:2] == ["A  runs/cats/1", "B  runs/cats/2"]
        cells = {line.split("  ")[0]: line.split() for line in shown}
        assert cells["seed"][1:] == ["0", "1"]
        assert cells["train.optimizer"][1:] == ["adam", "sgd"]
        assert cells["parameters"][1:] == ["402", "402"]
        assert cells["test accuracy"][2:] == ["60.0%", "90.0%"]
        told = "B is right on 30 images that A gets wrong, A on 0 that B gets wrong: p < 0.0001, significant"
        assert told in shown

    def test_runs_as_options_and_mixed(self, work: Path) -> None:
        shown = succeed("compare", "runs/cats/1", "runs/cats/2", cwd=work)
        assert succeed("compare", "--run", "runs/cats/1", "--run", "runs/cats/2", cwd=work) == shown
        assert succeed("compare", "runs/cats/1", "--run", "runs/cats/2", cwd=work) == shown
        assert succeed("compare", "--run", "runs/cats/2", "runs/cats/1", cwd=work) == shown
        assert "expected two runs or more" in fail(2, "compare", "--run", "runs/cats/1", cwd=work)
        assert "expected two runs or more" in fail(2, "compare", cwd=work)

    def test_three_are_corrected(self, work: Path) -> None:
        shown = succeed("compare", "runs/cats/1", "runs/latest", "runs/other one/1", cwd=work)
        assert "B is right on 10 images that C gets wrong, C on 0 that B gets wrong: p = 0.002, significant" in shown
        assert "Holm's correction for 2 tests" in shown
        assert "warning: the times are not comparable: they were measured with different devices" in shown

    def test_identical_configs(self, work: Path) -> None:
        write_run(Path("runs/twin"), images(60, 40))
        write_run(Path("runs/cats/1"), images(60, 40), text=Path("runs/twin/config.yaml").read_text())
        shown = succeed("compare", "runs/cats/1", "runs/twin", cwd=work)
        assert "the configs of both are identical" in shown
        assert "A and B are right and wrong on the same images: p = 1, not significant" in shown

    def test_other_images(self, work: Path) -> None:
        write_run(Path("runs/far"), images(5, 5, begin=95))
        shown = succeed("compare", "runs/cats/1", "runs/far", cwd=work)
        assert "A was evaluated on 100 images and B on 10; 5 of them are the same: the test is on those alone" in shown
        write_run(Path("runs/far"), images(5, 5, begin=500))
        shown = succeed("compare", "runs/cats/1", "runs/far", cwd=work)
        assert "none of them is the same: nothing can be tested" in shown
        assert "McNemar" not in shown

    def test_json(self, work: Path) -> None:
        value = json.loads(succeed("compare", "runs/cats/1", "runs/cats/2", "--json", cwd=work))
        assert value["runs"]["A"]["run"] == "runs/cats/1"
        assert value["runs"]["B"]["accuracy"] == 0.9
        assert value["runs"]["B"]["training"]["seconds"] == 75.0
        assert {"path": "seed", "values": {"A": 0, "B": 1}} in value["differences"]
        (test,) = value["tests"]
        assert test["right_only"] == {"B": 30, "A": 0}
        assert test["more_than_chance"] is True
        assert test["p"] < 1e-6
        assert value["remarks"] == []

    def test_mistakes(self, work: Path) -> None:
        assert "cnnctl train CONFIG" in fail(4, "compare", "runs/cats/1", "nowhere", cwd=work)
        assert "is not complete" in fail(4, "compare", "runs/cats/1", "runs/cats/3", cwd=work)
        assert "are the same run" in fail(2, "compare", "runs/cats/2", "runs/latest", cwd=work)
        assert "expected two runs" in fail(2, "compare", "runs/cats/1", cwd=work)

    def test_help_has_an_example(self, work: Path) -> None:
        assert "cnnctl compare runs/digits/1 runs/digits/2" in succeed("compare", "--help", cwd=work)


class TestRuns:
    def test_the_table(self, work: Path) -> None:
        lock = try_lock(Path("runs/cats/3/.lock"))
        assert lock is not None
        shown = succeed("runs", cwd=work)
        lock.release()
        rows = [line.split("   ") for line in shown.splitlines()[2:6]]
        found = {row[0].strip(): [cell.strip() for cell in row[1:] if cell.strip()][1:] for row in rows}
        assert found == {
            "runs/cats/3": ["in training", "2 of 5", "75.0%", "validation"],
            "runs/cats/2": ["complete, latest", "5 of 5", "90.0%", "test"],
            "runs/cats/1": ["complete", "5 of 5", "60.0%", "test"],
            "runs/other one/1": ["complete", "5 of 5", "80.0%", "test"],
        }
        assert "--resume" not in shown
        assert "resume an unfinished one: cnnctl train --resume RUN" in succeed("runs", cwd=work)

    def test_a_folder_of_them(self, work: Path) -> None:
        shown = succeed("runs", "runs/other one", cwd=work)
        assert "runs/cats/1" not in shown
        assert "the latest run is runs/cats/2" in shown

    def test_json(self, work: Path) -> None:
        value = json.loads(succeed("runs", "--json", cwd=work))
        assert value["latest"] == "runs/cats/2"
        assert [one["run"] for one in value["runs"] if one["latest"]] == ["runs/cats/2"]
        assert value["runs"][0]["status"] == "unfinished"
        assert [one["accuracy"] for one in value["runs"]] == [0.75, 0.9, 0.6, 0.8]

    def test_a_damaged_one_says_why(self, work: Path) -> None:
        Path("runs/cats/2/model.keras").unlink()
        assert "runs/cats/2 is damaged: no model.keras" in succeed("runs", cwd=work)

    def test_the_latest_is_gone(self, work: Path) -> None:
        Path("runs/cats/2").rename("away")
        assert "the latest run is runs/cats/2, which is gone" in succeed("runs", cwd=work)

    def test_none(self, tmp_path: Path) -> None:
        assert succeed("runs", cwd=tmp_path) == "there is no run in runs: `cnnctl train CONFIG` makes one\n"
        assert json.loads(succeed("runs", "--json", cwd=tmp_path)) == {"folder": "runs", "latest": None, "runs": []}
        assert "there is no run in ." in succeed("runs", ".", cwd=tmp_path)
        assert "nowhere is not there" in fail(4, "runs", "nowhere", cwd=tmp_path)
        (tmp_path / "runs").touch()
        assert "runs is a file" in fail(4, "runs", cwd=tmp_path)

    def test_odd_names(self, tmp_path: Path) -> None:
        for name in ("two\nlines", "caf\udce9", "\x1b[31mred", "-x"):
            write_begun(tmp_path / "runs" / name / "1")
        shown = succeed("runs", cwd=tmp_path)
        assert "runs/two\\nlines/1" in shown
        assert "\x1b" not in shown
        value = json.loads(succeed("runs", "--json", cwd=tmp_path))
        assert {one["run"] for one in value["runs"]} >= {"runs/caf\udce9/1", "runs/two\nlines/1"}

    def test_help_has_an_example(self, tmp_path: Path) -> None:
        assert "cnnctl runs runs/digits" in succeed("runs", "--help", cwd=tmp_path)


@pytest.mark.parametrize("words", [["runs"], ["compare", "runs/cats/1", "runs/cats/2"]])
def test_nothing_slow_is_imported(work: Path, words: list[str]) -> None:
    program = (
        "import sys\nfrom cnnctl.cli import app\nassert app.run() == 0\n"
        "slow = {'keras', 'tensorflow', 'pandas', 'sklearn', 'scipy', 'numpy', 'cv2', 'matplotlib', 'onnxruntime'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=work, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"

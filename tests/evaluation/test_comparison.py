"""Runs side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cnnctl.errors import CnnctlError, RunError, UsageError
from cnnctl.evaluation.comparison import Comparison, compare
from cnnctl.evaluation.significance import holm, mcnemar
from cnnctl.runs import Run
from tests.runs.build import damage_json, images, write_begun, write_metrics, write_run


def put(tmp_path: Path, *answers: Mapping[str, bool], **more: Any) -> Comparison:
    runs = [write_run(tmp_path / str(number), each, **more) for number, each in enumerate(answers, start=1)]
    return compare([run.path for run in runs])


def changed(answers: Mapping[str, bool], *paths: str) -> dict[str, bool]:
    return {path: right != (path in paths) for path, right in answers.items()}


def test_counts_add_up_to_the_difference_of_the_accuracies(tmp_path: Path) -> None:
    first = images(60, 40)
    second = changed(first, *(f"/photos/{number:03}.png" for number in (1, 2, 3, *range(70, 90))))
    comparison = put(tmp_path, first, second)
    (test,) = comparison.tests
    assert (test.best, test.other) == (1, 0)
    assert (test.best_only, test.other_only) == (20, 3)
    assert (test.shared, test.images, test.relabelled) == (100, (100, 100), 0)
    assert test.p == test.adjusted_p == mcnemar(20, 3)
    assert test.is_significant
    a, b = (one.figures["accuracy"] for one in comparison.runs)
    assert b - a == pytest.approx((test.best_only - test.other_only) / 100)
    assert comparison.differences == ()
    assert comparison.warnings == ()


def test_the_network_is_counted(tmp_path: Path) -> None:
    comparison = put(tmp_path, images(6, 4), images(7, 3))
    for one in comparison.runs:
        assert one.plan.total_params == 3 * 3 * 3 * 4 + 4 + 6 * 6 * 4 * 2 + 2
        assert one.plan.multiply_adds == 6 * 6 * 3 * 3 * 3 * 4 + 6 * 6 * 4 * 2


def test_three_runs_are_each_compared_with_the_best(tmp_path: Path) -> None:
    comparison = put(tmp_path, images(60, 40), images(90, 10), images(80, 20))
    assert [(one.best, one.other) for one in comparison.tests] == [(1, 0), (1, 2)]
    p = [mcnemar(30, 0), mcnemar(10, 0)]
    assert [one.p for one in comparison.tests] == p
    assert [one.adjusted_p for one in comparison.tests] == list(holm(p))


def test_of_equal_runs_the_first_is_the_best(tmp_path: Path) -> None:
    (test,) = put(tmp_path, images(6, 4), images(6, 4)).tests
    assert (test.best, test.other, test.p) == (0, 1, 1.0)
    assert test.is_significant is False


def test_only_shared_images_are_tested(tmp_path: Path) -> None:
    (test,) = put(tmp_path, images(10, 0), images(5, 5, begin=5)).tests
    assert (test.images, test.shared) == ((10, 10), 5)
    assert (test.best_only, test.other_only) == (0, 0)


def test_nothing_shared_is_not_tested_and_not_corrected_for(tmp_path: Path) -> None:
    comparison = put(tmp_path, images(9, 1), images(5, 5, begin=500), images(8, 2))
    nothing, something = comparison.tests
    assert (nothing.shared, nothing.p, nothing.adjusted_p, nothing.is_significant) == (0, None, None, None)
    assert something.adjusted_p == something.p == 1.0


def test_images_with_another_label_are_left_out(tmp_path: Path) -> None:
    one = write_run(tmp_path / "1", images(6, 4))
    other = write_run(tmp_path / "2", images(6, 4), labels={"/photos/000.png": "dog", "/photos/009.png": "dog"})
    (test,) = compare([one.path, other.path]).tests
    assert (test.shared, test.relabelled) == (8, 2)


def test_odd_paths_are_matched(tmp_path: Path) -> None:
    odd = dict.fromkeys(["two\nlines", "a,b", 'say "x"', "caf\udce9", "\r", " lead"], True)
    (test,) = put(tmp_path, odd, odd).tests
    assert test.shared == len(odd)


def test_what_makes_figures_incomparable_is_told(tmp_path: Path) -> None:
    first = write_run(tmp_path / "1", images(6, 4))
    second = write_run(
        tmp_path / "2",
        images(6, 4),
        device={"kind": "gpu", "name": "GPU"},
        precision={"policy": "mixed_bfloat16"},
        resumed_after_epoch=3,
        data_hash="ff",
    )
    write_metrics(second, split="validation")
    third = write_run(tmp_path / "3", images(6, 4))
    third.environment.unlink()
    told = "\n".join(compare([first.path, second.path, third.path]).warnings)
    assert "the times are not comparable: they were measured with different devices and precisions" in told
    assert "the time of B is that of its epochs after 3" in told
    assert "C is not complete" in told
    assert "data_hash" in told
    assert "the runs were evaluated on different splits" in told
    assert "B has no test images" in told


class TestRefused:
    def refused(self, code: int, *paths: Path) -> CnnctlError:
        with pytest.raises(CnnctlError) as caught:
            compare(list(paths))
        assert caught.value.exit_code == code
        assert caught.value.hint
        return caught.value

    @pytest.fixture
    def good(self, tmp_path: Path) -> Path:
        return write_run(tmp_path / "good" / "1", images(6, 4)).path

    @pytest.fixture
    def bad(self, tmp_path: Path) -> Run:
        return write_run(tmp_path / "bad" / "1", images(6, 4))

    def test_fewer_than_two(self, good: Path) -> None:
        assert isinstance(self.refused(2, good), UsageError)

    def test_one_run_twice(self, good: Path, tmp_path: Path) -> None:
        (tmp_path / "latest").symlink_to(good)
        assert "are the same run" in self.refused(2, good, tmp_path / "latest").message
        assert "are the same run" in self.refused(2, good, good.parent).message

    def test_no_run(self, good: Path, tmp_path: Path) -> None:
        assert isinstance(self.refused(4, good, tmp_path / "none"), RunError)

    def test_unfinished(self, good: Path, tmp_path: Path) -> None:
        begun = write_begun(tmp_path / "my run", epochs=[0.5])
        refused = self.refused(4, good, begun.path)
        assert "is not complete" in refused.message
        assert f"cnnctl train --resume '{begun.path}'" in (refused.hint or "")

    @pytest.mark.parametrize("name", ["metrics.json", "predictions.csv", "classes.json"])
    def test_a_file_is_gone(self, good: Path, bad: Run, name: str) -> None:
        (bad.path / name).unlink()
        assert f"has no {name}" in self.refused(4, good, bad.path).message

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("metrics.json", b'{"onnx": {}}'),
            ("metrics.json", b'{"accuracy_interval": 3}'),
            ("environment.json", b"{"),
            ("environment.json", b'{"epochs": 1}'),
            ("config.yaml", b"model: []\n"),
            ("config.yaml", b"data: [\n"),
            ("config.yaml", b"\xff"),
            ("predictions.csv", b""),
            ("predictions.csv", b"path,label\n"),
            ("predictions.csv", b"path,label,predicted,probability,correct\nx,cat,cat,1.0,perhaps\n"),
            ("predictions.csv", b"path,label,predicted,probability,correct\nx,cat\n"),
        ],
    )
    def test_a_file_is_damaged(self, good: Path, bad: Run, name: str, content: bytes) -> None:
        (bad.path / name).write_bytes(content)
        assert str(bad.path) in self.refused(4, good, bad.path).message

    def test_figures_that_are_no_numbers(self, good: Path, bad: Run) -> None:
        bad.metrics.write_text(bad.metrics.read_text().replace('"accuracy": 0.6', '"accuracy": NaN'))
        assert "holds no evaluation" in self.refused(4, good, bad.path).message

    def test_an_impossible_network(self, good: Path, bad: Run) -> None:
        bad.config.write_text(bad.config.read_text().replace("height: 8", "height: 2"))
        assert "impossible network" in self.refused(4, good, bad.path).message


def test_a_run_resumed_before_its_first_checkpoint(tmp_path: Path) -> None:
    run = write_run(tmp_path / "1", images(6, 4))
    damage_json(run.environment, resumed_after_epoch=0)
    other = write_run(tmp_path / "2", images(6, 4))
    assert compare([run.path, other.path]).runs[0].training is not None

"""What becomes of processes that Ray starts, one way or another; in place of Ray stands what the tests say.

tests/training/test_several_devices.py trains on Ray itself.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cnnctl.cluster import commands, sweeping, training
from cnnctl.cluster.commands import Ended, run_command
from cnnctl.cluster.sweeping import sweep_on_ray
from cnnctl.cluster.training import Group, train_on_ray
from cnnctl.errors import MachineError, UsageError
from cnnctl.runs import Run
from cnnctl.system.ray import connected, refuse_engine

LOST = object()
"""Told in place of an exit code: the host is gone."""


class Ray:
    """Tasks one after the other; `start` gives what a task says, by the words of its command."""

    exceptions = SimpleNamespace(RayError=ConnectionError)

    def __init__(self, start: Callable[[list[str]], list[Any]], room: bool = True) -> None:
        self._start, self._room = start, room
        self.begun: list[list[str]] = []
        self.places: list[tuple[int, str]] = []
        self.removed = 0
        self.util = SimpleNamespace(
            placement_group=self._place,
            remove_placement_group=self._remove,
            scheduling_strategies=SimpleNamespace(PlacementGroupSchedulingStrategy=lambda *where: where),
        )

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": name, "Alive": name != "c"} for name in "abc"]

    def shutdown(self) -> None:
        self.is_over = True

    def _place(self, bundles: list[dict[str, float]], strategy: str) -> Any:
        self.places.append((len(bundles), strategy))
        return SimpleNamespace(wait=lambda seconds: self._room)

    def _remove(self, places: Any) -> None:
        self.removed += 1

    def remote(self, **options: Any) -> Callable[[Any], Any]:
        def task(work: Any) -> Any:
            made = SimpleNamespace(remote=lambda *given: self._begin(work, *given))
            made.options = lambda **more: made
            return made

        return task

    def _begin(self, work: Any, *given: Any) -> Any:
        if work is not run_command:
            return "host:7"
        words, folder = given
        assert folder == "/work"
        self.begun.append(list(words))
        return iter(self._start(list(words)))

    @staticmethod
    def wait(tasks: list[Any]) -> tuple[list[Any], list[Any]]:
        return tasks[:1], tasks[1:]

    @staticmethod
    def get(said: Any) -> Any:
        if said is LOST:
            raise ConnectionError
        return said


def group(tmp_path: Path) -> Group:
    return Group(["train", "a.yaml"], "/work", Run(tmp_path), 0)


def trained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answers: list[list[Any]], workers: int | None = None
) -> tuple[int, list[str], Ray]:
    """The exit code of a training, what is told, and what was asked of Ray; `answers` are those of its processes."""
    coming = iter(answers)
    ray, told = Ray(lambda words: next(coming)), []
    monkeypatch.setattr(training, "connected", lambda: ray)
    code = train_on_ray(group(tmp_path), workers, told.append)
    assert ray.is_over
    assert ray.removed == len(ray.places)
    return code, told, ray


def test_a_process_on_each_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, told, ray = trained(monkeypatch, tmp_path, [["one", "two", 0], ["other", 0]])
    assert (code, told) == (0, ["2 processes on a Ray cluster of 2 hosts", "one", "two"])
    assert ray.places == [(2, "STRICT_SPREAD")]
    where = ["--coordinator", "host:7", "--processes", "2", "--process"]
    assert ray.begun == [["train", "a.yaml", *where, "0"], ["train", "a.yaml", *where, "1"]]


def test_one_alone_and_more_than_there_are_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, told, ray = trained(monkeypatch, tmp_path, [[0]], workers=1)
    assert told == ["1 process on a Ray cluster of 2 hosts"]
    assert ray.begun == [["train", "a.yaml", "--processes", "1"]]
    _, _, ray = trained(monkeypatch, tmp_path, [[0]] * 3, workers=3)
    assert ray.places == [(3, "SPREAD")]


@pytest.mark.parametrize(("lost", "how"), [(-9, "killed by SIGKILL"), (5, "exit code 5"), (LOST, "its host is gone")])
def test_all_start_again_after_one_is_lost(lost, how, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, told, ray = trained(monkeypatch, tmp_path, [["a"], ["error: x", lost], ["b", 0], [0]])
    assert code == 0
    said = [] if lost is LOST else ["process 1 of 2: error: x"]
    assert told[1:-1] == ["a", *said, f"process 1 of 2 is lost: {how}; all processes start again"] or lost is LOST
    assert told[-2:] == [f"process 1 of 2 is lost: {how}; all processes start again", "b"]
    assert len(ray.begun) == 4


def test_a_mistake_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, told, ray = trained(monkeypatch, tmp_path, [[], ["error: no image", 3]])
    assert (code, told[1:]) == (3, ["process 1 of 2: error: no image"])
    assert len(ray.begun) == 2


def test_a_training_without_a_new_epoch_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun = 0

    def start(words: list[str]) -> list[Any]:
        nonlocal begun
        begun += 1
        if begun == 3:
            (tmp_path / "checkpoints").mkdir()
            (tmp_path / "checkpoints" / "epoch-0001.npz").touch()
        return [-9]

    monkeypatch.setattr(training, "connected", lambda: Ray(start))
    with pytest.raises(MachineError) as caught:
        train_on_ray(group(tmp_path), 1, lambda line: None)
    assert "process 0 of 1 is lost: killed by SIGKILL, for the third time without a new epoch" in str(caught.value)
    assert begun == 5


def test_a_cluster_without_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training, "connected", lambda: Ray(lambda words: [], room=False))
    with pytest.raises(MachineError, match="no room for 9 processes with a core"):
        train_on_ray(group(tmp_path), 9, lambda line: None)


def swept(monkeypatch: pytest.MonkeyPatch, answers: list[list[Any]], workers: int) -> tuple[int, list[str]]:
    coming, told = iter(answers), []
    monkeypatch.setattr(sweeping, "connected", lambda: Ray(lambda words: next(coming)))
    return sweep_on_ray(["sweep", "a.yaml"], "/work", workers, 0, told.append), told


def test_a_lost_worker_of_a_sweep_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    code, told = swept(monkeypatch, [["a", LOST], ["b", 0], ["c", 0]], 2)
    assert code == 0
    assert sorted(told[1:]) == sorted(
        ["worker 0: a", "worker 0 is lost: its host is gone; it starts again", "worker 0: c", "worker 1: b"]
    )
    assert told[0] == "2 workers on a Ray cluster of 2 hosts"


def test_a_sweep_ends_where_a_worker_may_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert swept(monkeypatch, [["error: x", 2], [0]], 2)[0] == 2
    with pytest.raises(MachineError, match="worker 0 is lost: killed by SIGKILL, for the third time in a row"):
        swept(monkeypatch, [[-9]] * 3, 1)


def test_a_command_tells_its_lines_and_its_code(tmp_path: Path) -> None:
    *lines, code = run_command(["train", "none.yaml"], str(tmp_path))
    assert code == 2
    assert lines[0] == "error: there is no config at none.yaml"


def test_a_command_ends_with_who_started_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    waits = "from cnnctl.cluster.commands import end_with_parent; end_with_parent(); print('on', file=sys.stderr)\n"
    monkeypatch.setattr(commands, "_PROGRAM", f"import sys, time\n{waits}sys.stderr.flush(); time.sleep(60)\n")
    said: Iterator[Any] = run_command([], str(tmp_path))
    assert next(said) == "on"
    said.gi_frame.f_locals["process"].stdin.close()
    assert next(said) == -9
    assert Ended(-9).is_lost


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MachineError, match="needs Ray") as caught:
        connected()
    assert "'.[ray]'" in str(caught.value.hint)


def test_engines() -> None:
    refuse_engine(None, "--gpus is", given=False)
    refuse_engine("ray", "--gpus is", given=True)
    for engine, given, said in [(None, True, "--gpus is for --cluster ray"), ("dask", False, "no engine dask")]:
        with pytest.raises(UsageError, match=said):
            refuse_engine(engine, "--gpus is", given=given)

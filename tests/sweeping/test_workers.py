"""Workers that take trials from one storage: none is lost and none is counted twice, whatever is killed."""

import csv
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from cnnctl.config import load
from cnnctl.errors import MachineError
from cnnctl.sweeping.storage import open_storage
from tests.sweeping.stub import SWEEP, accuracy, start, write


def finished(worker: "subprocess.Popen[str]", code: int = 0) -> tuple[str, str]:
    out, err = worker.communicate(timeout=600)
    assert worker.returncode == code, f"{worker.returncode}: {err[-3000:]}"
    return out, err


def trials(output: Path) -> list[dict[str, str]]:
    with (output / "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stored(output: Path) -> list[tuple[str, float]]:
    """(state, value) of the trials in the storage that came to an end."""
    with sqlite3.connect(output / "trials.db") as database:
        return database.execute(
            "SELECT trials.state, value FROM trials JOIN trial_values USING (trial_id) WHERE state = 'COMPLETE'"
        ).fetchall()


def test_two_workers_and_kills_lose_nothing(tmp_path: Path) -> None:
    sweep, output = write(tmp_path, SWEEP.replace("trials: 12", "trials: 8")), tmp_path / "out"
    chance = random.Random(1)
    workers = [start(sweep, output, STUB_SECONDS="0.1") for _ in range(2)]
    for _ in range(2):
        time.sleep(chance.uniform(0.5, 3))
        killed = workers.pop(0)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        workers.append(start(sweep, output, STUB_SECONDS="0.1"))
    ends = [finished(worker) for worker in workers]
    results = [json.loads(out) for out, _ in ends]
    assert results[0] == results[1]
    result = results[0]
    assert (result["complete"], result["pruned"], result["failed"]) == (8, 0, 0)
    assert len({trial["number"] for trial in result["trials"]}) == 8
    assert sorted(value for _, value in stored(output)) == sorted(float(row["val_accuracy"]) for row in trials(output))
    assert {path.name for path in (output / "trials").iterdir()} == {f"{one['number']:04}" for one in result["trials"]}
    for trial in result["trials"]:
        done = (Path(trial["run"]) / "trained.txt").read_text().split()
        assert done == ["1", "2", "3"]  # what was done before a kill was not done again
    best = load(output / "best.yaml")
    rate, units = best.train.optimizer.learning_rate, best.model[1].units  # type: ignore[union-attr]
    assert accuracy(rate, units, 3) == max(value for _, value in stored(output))
    assert result["best"]["value"] == max(trial["value"] for trial in result["trials"])


def test_a_second_ctrl_c_says_how_to_resume(tmp_path: Path) -> None:
    sweep = write(tmp_path)
    worker = start(sweep, tmp_path / "out", STUB_SECONDS="30", STUB_IGNORES_SIGTERM="yes")
    assert worker.stderr is not None
    while not list((tmp_path / "out" / "trials").glob("*/config.yaml")):
        assert worker.poll() is None
        time.sleep(0.05)
    worker.send_signal(signal.SIGINT)
    assert "press Ctrl-C again to exit at once" in worker.stderr.readline()
    worker.send_signal(signal.SIGINT)
    _, err = finished(worker, code=130)
    assert err.split() == f"exited at once; resume with: cnnctl sweep {sweep} --output {tmp_path / 'out'}".split()


def test_a_database_without_an_encoding_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(url: str, *more: object, **options: object) -> None:
        raise TypeError("cannot use a string pattern on a bytes-like object")

    monkeypatch.setattr("optuna.storages.RDBStorage", made)
    with pytest.raises(MachineError) as caught:
        open_storage("postgresql+psycopg://sweep:secret@db/trials", 10)
    assert caught.value.message == (
        "postgresql+psycopg://sweep:***@db/trials cannot be used: its texts have no encoding that it knows of "
        "(SQL_ASCII)"
    )
    assert caught.value.hint == "make another database: createdb --encoding=UTF8 --template=template0 NAME"
    with pytest.raises(TypeError):
        open_storage("sqlite:///trials.db", 10)


def postgresql() -> str | None:
    """The folder of PostgreSQL's programs, which Debian has outside of PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return found and str(Path(found).parent)


@pytest.mark.skipif(postgresql() is None, reason="PostgreSQL is not installed")
def test_postgresql(tmp_path: Path) -> None:
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv")
    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    place = Path("/tmp") / f"pg-{os.getpid()}"  # a socket's path is short
    place.mkdir()
    if as_user:
        os.chown(place, 65534, 65534)

    programs = postgresql()

    def run(program: str, *options: str) -> None:
        environment = {**os.environ, "LC_ALL": "C", "HOME": str(place)}
        command = [*as_user, f"{programs}/{program}", *options]
        subprocess.run(command, cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL)

    data = str(place / "data")
    try:
        run("initdb", "--encoding=UTF8", "--auth=trust", "--username=sweep", data)
        run("pg_ctl", "-D", data, "-w", "-o", f"-k {place} -c listen_addresses=", "-l", f"{place}/log", "start")
        storage = f"storage: postgresql+psycopg://sweep@/postgres?host={place}\n"
        sweep = write(tmp_path, SWEEP.replace("trials: 12", "trials: 6") + storage)
        workers = [start(sweep, tmp_path / "out", STUB_SECONDS="0.2") for _ in range(3)]
        time.sleep(4)
        killed = workers.pop()
        killed.kill()
        killed.communicate()
        results = [json.loads(finished(worker)[0]) for worker in workers]
        assert results[0] == results[1]
        assert results[0]["complete"] == 6
        assert not (tmp_path / "out" / "trials.db").exists()
    finally:
        stop = [*as_user, f"{programs}/pg_ctl", "-D", data, "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, capture_output=True)
        shutil.rmtree(place, ignore_errors=True)

"""Cores are counted by affinity and by the quota of the cgroup, whose files are laid out here as Linux does."""

import os
import subprocess
import sys

import pytest

from cnnctl.system import cores
from cnnctl.system.cores import available_cores, cgroup_quota


@pytest.fixture
def fresh():
    available_cores.cache_clear()
    yield
    available_cores.cache_clear()


def lay_out(tmp_path, own: str, files: dict[str, str]):
    mounted = tmp_path / "cgroup"
    for name, text in files.items():
        path = mounted / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "self").write_text(own)
    return mounted, tmp_path / "self"


V1 = "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "50000"}, 0.5),
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": ""}, None),
        ("0::/\n", {"cpu.max": "many 100000\n"}, None),
        ("0::/\n", {"cpu.max": "100000 0\n"}, None),
        ("0::/\n", {"cpu.max": "-1 100000\n"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "200000 100000", "cpu.max": "max 100000"}, 2),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "300000 100000"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "100000 50000", "a/cpu.max": "300000 100000", "a/b/c/cpu.max": "1 100000"}, 2),
        ("0::/docker/abc\n", {"cpu.max": "250000 100000\n"}, 2.5),
        ("0::/../../elsewhere\n", {"cpu.max": "250000 100000\n"}, 2.5),
        ("0::/a:b\n", {"a:b/cpu.max": "250000 100000\n"}, 2.5),
        (V1, {"cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "300000\n"}, None),
        (
            V1,
            {
                "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "150000\n",
                "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "50000\n",
            },
            3,
        ),
        (
            V1,
            {
                "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1\n",
                "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
                "cpu,cpuacct/docker/cpu.cfs_quota_us": "100000\n",
                "cpu,cpuacct/docker/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
        (V1, {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        (V1 + "0::/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("4:cpuset:/a\n", {"cpuset/a/cpu.cfs_quota_us": "1", "cpuset/a/cpu.cfs_period_us": "1"}, None),
        ("", {"cpu.max": "100000 100000"}, None),
        ("nonsense\n", {}, None),
    ],
)
def test_the_quota_is_the_least_of_the_cgroup_and_those_around_it(tmp_path, own, files, expected):
    assert cgroup_quota(*lay_out(tmp_path, own, files)) == expected


def test_a_system_without_cgroups_has_no_quota(tmp_path):
    assert cgroup_quota(tmp_path / "cgroup", tmp_path / "self") is None


@pytest.mark.parametrize(
    ("cores_to_run_on", "quota", "expected"),
    [(8, None, 8), (8, 2.0, 2), (8, 2.5, 3), (8, 0.1, 1), (2, 64.0, 2), (1, None, 1)],
)
def test_cores_are_those_to_run_on_and_those_the_quota_allows(monkeypatch, fresh, cores_to_run_on, quota, expected):
    monkeypatch.setattr(cores, "_cores_to_run_on", lambda: cores_to_run_on)
    monkeypatch.setattr(cores, "cgroup_quota", lambda: quota)
    assert available_cores() == expected


def test_cores_are_those_that_may_be_used():
    assert 1 <= available_cores() <= os.cpu_count()


def test_cores_are_counted_once(monkeypatch, fresh):
    before = available_cores()
    monkeypatch.setattr(cores, "_cores_to_run_on", lambda: before + 5)
    assert available_cores() == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system ties no process to cores")
def test_a_process_tied_to_one_core_has_one():
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from cnnctl.system.cores import available_cores; print(available_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_cores_are_counted_in_one_place():
    package = cores.Path(cores.__file__).parents[1]
    counting = ("cpu_count", "sched_getaffinity")
    found = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if any(word in file.read_text(encoding="utf-8") for word in counting)
    }
    assert found == {"system/cores.py"}

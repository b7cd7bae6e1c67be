"""Which process of a training this one is, by options or by what started it."""

import pytest

from cnnctl.errors import UsageError
from cnnctl.system import cluster
from cnnctl.system.cluster import Cluster, chosen_cluster, found_cluster

SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_NODELIST": "gpu[01-04]",
    "SLURM_NTASKS": "8",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
}
OPEN_MPI = {"OMPI_MCA_orte_hnp_uri": "1;tcp://10.0.0.1:2", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}


def test_by_hand() -> None:
    chosen = chosen_cluster("gpu01:7000", 4, 2)
    assert chosen == Cluster(2, 4, "gpu01:7000", takes_all=True)
    assert chosen.options == ["--coordinator", "gpu01:7000", "--processes", "4", "--process", "2"]
    assert not chosen.is_first
    assert chosen_cluster("gpu01:7000", 1, 0) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("gpu01:7000", None, None), "--coordinator, --processes and --process belong together"),
        ((None, 2, 0), "--coordinator, --processes and --process belong together"),
        ((None, None, 1), "--coordinator, --processes and --process belong together"),
        (("gpu01", 2, 0), "--coordinator is HOST:PORT; received: gpu01"),
        (("gpu01:99999", 2, 0), "--coordinator is HOST:PORT; received: gpu01:99999"),
        (("gpu01:7000", 2, 2), "--process is from 0 to 1 with --processes 2; received: 2"),
    ],
)
def test_options_that_do_not_go_together(given: tuple[str | None, int | None, int | None], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen_cluster(*given)
    assert caught.value.message == message
    assert "--coordinator HOST:PORT --processes N --process I" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("more", "takes_all"),
    [
        ({"SLURM_STEP_TASKS_PER_NODE": "2(x4)"}, False),
        ({"SLURM_STEP_TASKS_PER_NODE": "1(x8)"}, True),
        ({"SLURM_STEP_TASKS_PER_NODE": "2,1(x6)"}, False),
        ({"SLURM_TASKS_PER_NODE": "1(x8)"}, True),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(x4)", "CUDA_VISIBLE_DEVICES": "5"}, True),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(x4)", "CUDA_VISIBLE_DEVICES": "0,1"}, False),
        ({}, False),
    ],
)
def test_slurm(more: dict[str, str], takes_all: bool) -> None:
    """JAX would take one GPU of a host that has one process."""
    assert found_cluster({**SLURM, **more}) == Cluster(3, 8, takes_all=takes_all)
    assert Cluster(3, 8).options == []


@pytest.mark.parametrize(("alone", "takes_all"), [("1", True), ("2", False)])
def test_open_mpi(alone: str, takes_all: bool) -> None:
    found = found_cluster({**OPEN_MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": alone})
    assert found == Cluster(1, 2, takes_all=takes_all)


def test_kubernetes_where_its_package_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "2"}
    assert found_cluster(pod) is None
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: name == "kubernetes" or None)
    assert found_cluster(pod) == Cluster(2, None)
    assert found_cluster({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}) is None


def test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One task, a shell of Slurm's outside of srun, and whoever says so."""
    assert found_cluster({}) is None
    assert found_cluster({**SLURM, "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}) is None
    assert found_cluster({name: value for name, value in SLURM.items() if "STEP" not in name}) is None
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    assert chosen_cluster(None, None, None) == Cluster(3, 8, takes_all=False)
    assert chosen_cluster(None, 1, None) is None

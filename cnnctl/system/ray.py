"""Ray, connected to a cluster."""

import os
from typing import Any

from cnnctl.errors import MachineError, UsageError, how_to_install


def refuse_engine(cluster: str | None, options: str, given: bool) -> None:
    """Raises:
    UsageError: there is no such engine, or there is none and options of it are `given`.
    """
    if cluster is None and given:
        raise UsageError(f"{options} for --cluster ray", "add --cluster ray")
    if cluster not in (None, "ray"):
        raise UsageError(f"there is no engine {cluster}", "--cluster ray is the only one")


def connected() -> Any:
    """The package, connected to the cluster that RAY_ADDRESS names, or to one of this machine alone.

    Raises:
        MachineError: it is not installed, or the cluster cannot be reached.
    """
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError:
        raise MachineError("--cluster ray needs Ray, which is not installed", how_to_install("ray")) from None
    address = os.environ.get("RAY_ADDRESS")
    try:
        ray.init(
            address=address,
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except Exception as error:  # Ray raises its own and many others
        raise MachineError(f"Ray cannot be reached: {error}", "see RAY_ADDRESS, and `ray status`") from None
    return ray


def hosts(ray: Any) -> list[str]:
    """The ids of the hosts of the cluster."""
    return [node["NodeID"] for node in ray.nodes() if node["Alive"]]

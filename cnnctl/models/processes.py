"""The processes of one training, as JAX joins them: what they tell each other, and how they stop at the same step.

JAX has no public door to what its processes tell each other, which `jax._src.distributed` holds; Orbax and Flax use it
in the same way.
"""

import json
import socket
from typing import Any

from cnnctl.errors import MachineError
from cnnctl.system.cluster import Cluster

_HEARTBEAT = 20
"""Seconds without a sign of life after which a process counts as dead. JAX waits 100, and a dead one holds up all."""
_FAREWELL = 10
"""Seconds in which all processes must end once one has; JAX waits 300."""
_CONNECT = 300
_DAYS = 7 * 24 * 3600 * 1000
"""Milliseconds, longer than images are decoded or a network is judged; a process that dies meanwhile ends all waits."""

_FACTS, _BYTES, _DONE = "cnnctl/facts/", "cnnctl/bytes/", "cnnctl/done"
_PIECE = 2**20


def join(cluster: Cluster) -> None:
    """Join the other processes; before JAX looks for devices, and so before Keras is imported.

    Raises:
        MachineError: they cannot be reached.
    """
    import jax

    by_hand = cluster.coordinator is not None
    if cluster.is_first and cluster.coordinator is not None:
        _insist_on_port(int(cluster.coordinator.rpartition(":")[2]))
    try:
        jax.distributed.initialize(
            cluster.coordinator,
            cluster.processes,
            cluster.process,
            local_device_ids=[] if cluster.takes_all else None,
            cluster_detection_method="deactivate" if by_hand else None,
            initialization_timeout=_CONNECT,
            heartbeat_timeout_seconds=_HEARTBEAT,
            shutdown_timeout_seconds=_FAREWELL,
        )
    except (RuntimeError, ValueError, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        where = "" if cluster.coordinator is None else f" at {cluster.coordinator}"
        hint = "start all of them within five minutes; process 0 on the host of the coordinator, where the port is free"
        raise MachineError(f"the other processes cannot be joined{where}: {reason}", hint) from error


def _insist_on_port(port: int) -> None:
    """Refuse a port that somebody listens at: JAX would crash there."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        socket.create_server(("", port), family=family, dualstack_ipv6=both).close()
    except OSError as error:
        hint = "choose another port with --coordinator, the same one for all processes"
        raise MachineError(f"process 0 cannot listen at port {port}: {error.strerror}", hint) from None


def exchange(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Tell all processes some facts, once each; those of all, in their order. Returns when everybody is as far."""
    import jax

    client = _client()
    client.key_value_set(f"{_FACTS}{jax.process_index()}", json.dumps(facts))
    meet("facts")
    return [
        json.loads(client.blocking_key_value_get(f"{_FACTS}{number}", _DAYS)) for number in range(jax.process_count())
    ]


def gather(own: bytes) -> list[bytes]:
    """Tell all processes some bytes, once each, in pieces that gRPC takes; those of all, in their order."""
    import jax

    client, mine = _client(), f"{_BYTES}{jax.process_index()}"
    pieces = -(-len(own) // _PIECE)
    for number in range(pieces):
        client.key_value_set_bytes(f"{mine}/{number}", own[number * _PIECE : (number + 1) * _PIECE])
    client.key_value_set(f"{mine}/pieces", str(pieces))
    told = []
    for process in range(jax.process_count()):
        its = f"{_BYTES}{process}"
        count = int(client.blocking_key_value_get(f"{its}/pieces", _DAYS))
        told.append(b"".join(client.blocking_key_value_get_bytes(f"{its}/{n}", _DAYS) for n in range(count)))
    meet("bytes")
    client.key_value_delete(f"{mine}/")
    return told


def meet(name: str) -> None:
    """Return when all processes are here; each place has a name of its own."""
    _client().wait_at_barrier(f"cnnctl/{name}", _DAYS)


def is_stop(step: int) -> bool:
    """Whether all processes stop at this step (from 1, asked at each), since one of them got a SIGTERM."""
    from jax.experimental import multihost_utils

    return bool(multihost_utils.reached_preemption_sync_point(step))


def end_together(is_first: bool) -> None:
    """Let the others go, or wait until process 0, which evaluates alone, lets us go; then leave JAX's processes."""
    import jax

    client = _client()
    if is_first:
        client.key_value_set(_DONE, "yes")
    else:
        client.blocking_key_value_get(_DONE, _DAYS)
    jax.distributed.shutdown()


def _client() -> Any:
    from jax._src import distributed

    return distributed.global_state.client

"""The port of process 0, before JAX listens at it."""

import socket

import pytest

from cnnctl.errors import MachineError
from cnnctl.models.processes import join
from cnnctl.system.cluster import Cluster


def test_a_port_that_is_taken() -> None:
    """JAX 0.10.2 ends with a segmentation fault there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MachineError, match=f"process 0 cannot listen at port {port}: ") as caught:
            join(Cluster(0, 2, f"127.0.0.1:{port}"))
    assert "--coordinator" in str(caught.value.hint)

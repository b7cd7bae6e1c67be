"""Requests over a few connections that stay open, as many as a server answers; in a process of its own.

Usage: python benchmarks/load.py HOST PORT CONNECTIONS SECONDS REQUESTS

REQUESTS is a file of whole HTTP requests, each after its length as 4 bytes; they are sent in turn. Prints JSON: the
seconds of each request that ended within the time, and how many were not answered with 200.
"""

import json
import selectors
import socket
import sys
import time
from pathlib import Path


class Connection:
    """One connection with one request under way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begun = 0.0
        self._received = b""

    def send(self, request: bytes) -> None:
        self.begun = time.perf_counter()
        self._received = b""
        self.socket.sendall(request)

    def status(self) -> int:
        """What has come in so far: 0 as long as the response is not whole."""
        self._received += self.socket.recv(65536)
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return 0
        at = head.lower().index(b"content-length:") + 15
        length = int(head[at : at + 12].split(b"\r\n")[0])
        return int(head[9:12]) if len(body) >= length else 0


def read_requests(path: Path) -> list[bytes]:
    """The requests of a file."""
    content, found = path.read_bytes(), []
    while content:
        end = 4 + int.from_bytes(content[:4], "big")
        found.append(content[4:end])
        content = content[end:]
    return found


def main(host: str, port: str, connections: str, seconds: str, path: str) -> None:
    requests = read_requests(Path(path))
    selector = selectors.DefaultSelector()
    taken, wrong = [], 0
    for number in range(int(connections)):
        connection = Connection((host, int(port)))
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(requests[number % len(requests)])
    sent, end = int(connections), time.perf_counter() + float(seconds)
    while (now := time.perf_counter()) < end:
        for key, _ in selector.select(1):
            connection = key.data
            status = connection.status()
            if status:
                now = time.perf_counter()
                taken.append(now - connection.begun)
                wrong += status != 200
                connection.send(requests[sent % len(requests)])
                sent += 1
    print(json.dumps({"seconds": taken, "wrong": wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Requests a second over HTTP, beside a minimal FastAPI script that calls Keras, asked by the same load generator."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from benchmarks.command import ROOT, ROUNDS
from benchmarks.processes import cnnctl

LOAD = ROOT / "benchmarks" / "load.py"
SCRIPT = ROOT / "benchmarks" / "plain_serve.py"
PLAIN = "FastAPI and Keras script, multipart"
CONNECTIONS = 16
SECONDS = 10
WARM_UP = 3
IMAGES = 200
STARTS = 10


@dataclass(frozen=True)
class Load:
    """What one round saw.

    Attributes:
        rate: Requests a second.
        middle: Median seconds of a request.
        slow: Seconds that 99 of 100 requests stayed below.
    """

    rate: float
    middle: float
    slow: float


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md; the model is that of configs/cifar10.yaml, trained for one epoch."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        chosen = [f"data.train={folder / 'train'}", f"data.test={folder / 'test'}", "train.epochs=1"]
        sets = [part for one in chosen for part in ("--set", one)]
        cnnctl("train", ROOT / "configs" / "cifar10.yaml", *sets, cwd=work, cache=work / "cache")
        run = next(work.rglob("model.onnx")).parent
        images = [path.read_bytes() for path in sorted((folder / "test").rglob("*.jpg"))[:: 10_000 // IMAGES]]
        multipart = write(work / "multipart", [as_multipart(image) for image in images])
        raw = write(work / "raw", [as_raw(image) for image in images])
        ours = [sys.executable, "-m", "cnnctl", "serve", str(run), "--port"]
        files = [str(run / "model.keras"), str(run / "classes.json")]
        theirs = [sys.executable, str(SCRIPT), "predict", *files]
        ways = {
            "cnnctl serve, multipart": (ours, multipart),
            "cnnctl serve, raw bytes": (ours, raw),
            PLAIN: (theirs, multipart),
            "the script with model(pixels), multipart": ([sys.executable, str(SCRIPT), "call", *files], multipart),
        }
        seen: dict[str, list[Load]] = {what: [] for what in ways}
        for _ in range(ROUNDS):
            for what, (command, requests) in ways.items():
                with serving(command) as port:
                    load(port, requests, WARM_UP)
                    seen[what].append(load(port, requests, SECONDS))
                print(f"{what}: {seen[what][-1]}", flush=True)
        starts = [started(command) for command in (ours, theirs) for _ in range(STARTS)]
    return report(seen, median(starts[:STARTS]), median(starts[STARTS:]))


def as_multipart(image: bytes) -> bytes:
    """A request with one file, as curl -F and browsers send it."""
    head = b'--cnnctl\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg'
    return _request(b"multipart/form-data; boundary=cnnctl", head + b"\r\n\r\n" + image + b"\r\n--cnnctl--\r\n")


def as_raw(image: bytes) -> bytes:
    """A request whose body is the image."""
    return _request(b"image/jpeg", image)


def _request(kind: bytes, body: bytes) -> bytes:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return head % (kind, len(body)) + body


def write(path: Path, requests: list[bytes]) -> Path:
    """The requests as load.py reads them."""
    path.write_bytes(b"".join(len(request).to_bytes(4, "big") + request for request in requests))
    return path


@contextmanager
def serving(command: list[str]) -> Iterator[int]:
    """A server under way: its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(process, port)
            yield port
        finally:
            process.terminate()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if process.poll() is not None:
                sys.exit(f"{process.args!r} ended with {process.returncode}")
            time.sleep(0.005)
        else:
            return


def started(command: list[str]) -> float:
    """Seconds from process start to the answer to a first request."""
    begun = time.perf_counter()
    with serving(command) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        return time.perf_counter() - begun


def load(port: int, requests: Path, seconds: float) -> Load:
    """One round of load.py."""
    command = [sys.executable, str(LOAD), "127.0.0.1", str(port), str(CONNECTIONS), str(seconds), str(requests)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    value = json.loads(done.stdout)
    if value["wrong"]:
        sys.exit(f"{value['wrong']} requests were not answered with 200")
    taken = value["seconds"]
    return Load(len(taken) / seconds, median(taken), quantiles(taken, n=100)[-1])


def report(seen: dict[str, list[Load]], ours: float, theirs: float) -> str:
    """The section of BENCHMARKS.md."""
    slow = median(one.rate for one in seen[PLAIN])
    lines = [
        "## Serving over HTTP",
        "",
        f"32x32 JPEG files of CIFAR-10, one a request, {CONNECTIONS} connections that stay open, the network of",
        f"configs/cifar10.yaml; {SECONDS} s after {WARM_UP} s of warming up, rounds: {ROUNDS}, in turn. The load",
        "generator (`benchmarks/load.py`) runs on the same machine, in a process of its own, the same for both; the",
        "script is `benchmarks/plain_serve.py`. p50 and p99 are medians of the rounds.",
        "",
        "| what | requests/s by round | median | p50 | p99 | times the script's |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for what, rounds in seen.items():
        rates = ", ".join(f"{one.rate:,.0f}" for one in rounds)
        rate, middle, tail = (median(getattr(one, name) for one in rounds) for name in ("rate", "middle", "slow"))
        times = f"{rate / slow:.1f} x"
        lines.append(f"| {what} | {rates} | {rate:,.0f} | {middle * 1000:.1f} ms | {tail * 1000:.1f} ms | {times} |")
    lines += [
        "",
        f"From process start to the answer to a first request, median of {STARTS}: cnnctl serve {ours:.2f} s,",
        f"the script {theirs:.2f} s.",
    ]
    return "\n".join(lines)

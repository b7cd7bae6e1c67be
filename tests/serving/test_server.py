"""The process: what it imports, how it starts and how it ends."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cnnctl import errors
from cnnctl.inference.known_models import MADE, fingerprint, remember
from cnnctl.serving import server
from tests.cli.command import fail
from tests.serving.build import READY, RED, labels, reply, serving

IMPORTS = """\
import json, sys
from cnnctl.cli.app import run
import cnnctl.serving.server as server
inner = server.serve
def serve(run, listener, limits, explains, ready, *others):
    def told(missing):
        import urllib.request
        ready(missing)
        print(json.dumps(sorted(sys.modules)), flush=True)
    return inner(run, listener, limits, explains, told, *others)
server.serve = serve
sys.argv[0] = "cnnctl"
run()
"""


def test_it_is_ready_without_anything_slow(colours: Path) -> None:
    remember(fingerprint((colours / "model.onnx").read_bytes()), MADE)  # one that is unknown is looked through first
    command = [sys.executable, "-c", IMPORTS, "serve", str(colours), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready, modules = process.stdout.readline(), process.stdout.readline()
        process.terminate()
        assert READY.fullmatch(ready)
        found = {name.partition(".")[0] for name in json.loads(modules)}
    slow = set("keras tensorflow jax pandas sklearn scipy matplotlib onnx jinja2 yaml PIL websockets".split())
    assert found & slow == set()
    assert {"fastapi", "uvicorn", "onnxruntime"} <= found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_request_under_way_is_finished_before_it_ends(number: int, code: int, colours: Path) -> None:
    with serving(colours, "--verbose") as served:
        idle = served.connect()
        with served.connect() as connection:
            head = f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(RED)}\r\n\r\n"
            connection.sendall(head.encode() + RED[:50])
            time.sleep(0.3)
            served.process.send_signal(number)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    served.connect().close()
                    time.sleep(0.02)
                except OSError:
                    break
            assert served.process.poll() is None
            connection.sendall(RED[50:])
            response = http.client.HTTPResponse(connection)
            response.begin()
            got = reply(response)
            assert labels(got.json) == ["red"]
            assert got.headers["connection"] == "close"
        idle.close()
        assert served.process.wait(20) == code
        assert served.process.stdout is not None
        assert served.process.stderr is not None
        assert served.process.stdout.read() == ""
        warning, line = served.process.stderr.read().splitlines()
        assert warning == "warning: no Grad-CAM: the run has no model.keras"
        assert line.startswith("127.0.0.1 POST /v1/predict 200 ")


def test_requests_that_never_end_do_not_hold_it_for_ever(colours: Path) -> None:
    with serving(colours, "--timeout", "1") as served, served.connect() as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        time.sleep(0.2)
        begun = time.monotonic()
        assert served.end() == 0
        assert time.monotonic() - begun < 10


def test_it_says_where_and_is_quiet(colours: Path) -> None:
    with serving(colours, "--no-explain") as served:
        assert served.url == f"http://127.0.0.1:{served.port}"
        served.raw(RED)
        served.raw(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
        with served.connect() as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            assert b"400 Bad Request" in connection.recv(1000)
        assert served.end() == 0
        assert served.process.stderr is not None
        assert served.process.stderr.read() == ""


def test_other_machines_are_let_in_with_a_word(colours: Path) -> None:
    with serving(colours, "--host", "0.0.0.0", "--no-explain") as served:
        got = served.ask("POST", "/v1/predict", RED, {"Host": "classifier.example", "Content-Type": "image/png"})
        assert labels(got.json) == ["red"]
        headers = {"Host": "classifier.example", "Origin": "http://evil.example", "Content-Type": "image/png"}
        assert served.ask("POST", "/v1/predict", RED, headers).status == 403
        assert served.end() == 0
        assert served.process.stderr is not None
        warning = served.process.stderr.read()
        assert warning == "warning: the server has no password: anyone who can reach this address can use it\n"


def test_mistakes(colours: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = fail(5, "serve", colours, "--port", port, cwd=tmp_path)
    assert said == (
        f"error: port {port} of 127.0.0.1 is in use\nhint: choose another with --port PORT; --port 0 takes any that is "
        "free\n"
    )
    assert "there is no run yet" in fail(4, "serve", cwd=tmp_path)
    assert "there is no run at gone" in fail(4, "serve", "gone", cwd=tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "classes.json").write_text('["a", "b"]')
    assert "has no model.onnx" in fail(4, "serve", "run", "--port", "0", cwd=tmp_path)
    for host in ("no such host", "256.0.0.1"):
        assert "is not an address" in fail(2, "serve", colours, "--host", host, "--port", "0", cwd=tmp_path)
    assert "--port" in fail(2, "serve", colours, "--port", "65536", cwd=tmp_path)
    assert "--timeout" in fail(2, "serve", colours, "--timeout", "0", cwd=tmp_path)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    server.insist_on_packages()
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == "uvicorn" else object())
    with pytest.raises(errors.MachineError, match="uvicorn is not installed") as caught:
        server.insist_on_packages()
    assert caught.value.hint == "install it with: pip install '.[serve]' from a checkout of cnnctl"

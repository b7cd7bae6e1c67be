"""What is refused, and how: always with a reason in JSON."""

import http.client
import json
import socket
import struct
import threading
import time
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.serving.build import GREEN, RED, Served, labels, multipart, reply, serving


def bomb(side: int) -> bytes:
    """A PNG that claims side x side pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" * (side + 1)) * side if side < 10_000 else b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


FORM = "multipart/form-data; boundary=b"
BAD = [
    (413, b"\xff" * 1_000_001, "image/jpeg", "the request is larger than 1 MB"),
    (413, bomb(100_000), "image/png", "its header claims 100,000 x 100,000 pixels"),
    (415, b"some text", "image/png", "it is a text file"),
    (415, b"%PDF-1.4 ...", "", "it is a PDF document"),
    (422, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic", "the HEIC image is damaged"),
    (415, b"FUJIFILMCCD-RAW 0201" + bytes(90), "image/x-fuji-raf", "camera RAW (RAF) is not supported"),
    (415, b"II+\0\x08\0\0\0" + bytes(90), "image/tiff", "BigTIFF is not supported"),
    (415, RED, "text/plain", "bodies of type text/plain are not supported"),
    (415, RED, "application/x-www-form-urlencoded", "application/x-www-form-urlencoded are not supported"),
    (415, b'{"path": "/etc/passwd"}', "application/json", "bodies of type application/json are not supported"),
    (422, b"", "image/png", "the request holds no image"),
    (422, RED[:60], "image/png", "the PNG file is cut off"),
    (422, b"\xff\xd8\xff\xe0" + b"\0" * 50 + b"\xff\xd9", "image/jpeg", "the JPEG"),
    (422, b"x", "multipart/form-data", "names no boundary"),
    (422, b"no boundary here", FORM, "is damaged"),
    (422, b"--b--\r\n", FORM, ""),
    (422, multipart(("a.png", RED))[1][:100], FORM, "is damaged"),
    (
        422,
        b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n',
        FORM,
        "is cut off",
    ),
    (
        422,
        b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--",
        FORM,
        "a field called image",
    ),
    (422, b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n', FORM, "received: x"),
    (422, b"", "multipart/form-data; boundary=" + "b" * 500, "is damaged"),
]


@pytest.mark.parametrize(("status", "body", "kind", "said"), BAD, ids=range(len(BAD)))
def test_a_bad_body_gets_its_status_and_its_reason(
    status: int, body: bytes, kind: str, said: str, served: Served
) -> None:
    got = served.raw(body, kind=kind)
    assert got.status == status
    assert got.headers["content-type"] == "application/json"
    assert set(got.json) == {"error", "hint"}
    assert said in got.json["error"]
    assert "\n" not in got.json["error"]


def test_the_first_file_is_named_where_none_can_be_read(served: Served) -> None:
    got = served.send(("a.txt", b"text"), ("b.png", RED[:60]))
    assert (got.status, got.json["error"]) == (415, "a.txt: it is a text file")
    assert served.send(("empty.png", b"")).json["error"] == "empty.png: the file is empty"


def test_too_many_images_and_too_many_bytes_of_several(served: Served) -> None:
    files = [(f"{number}.png", RED) for number in range(5)]
    assert labels(served.send(*files[:4]).json) == ["red"] * 4
    got = served.send(*files)
    assert (got.status, got.json["error"]) == (413, "a request may hold 4 images")
    assert served.send(("a.png", RED), ("b.png", b"\0" * 1_000_000)).status == 413


@pytest.mark.parametrize("top", ["0", "-1", "x", "", "1.5", "٣", "00"])
def test_a_wrong_top(top: str, served: Served) -> None:
    got = served.raw(RED, f"/v1/predict?top={quote(top)}")
    assert got.status == 422
    assert "top is a whole number from 1 on" in got.json["error"]


@pytest.mark.parametrize("top", ["9" * 5000, "1000000000", "0003"])
def test_a_large_top_is_all_classes(top: str, served: Served) -> None:
    assert len(served.raw(RED, f"/v1/predict?top={top}").json[0]["top"]) == 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/", 405),
        ("GET", "/v1/predict", 405),
        ("PUT", "/v1/predict", 405),
        ("POST", "/v1/explain", 404),
        ("GET", "/../pyproject.toml", 404),
        ("GET", "/static/page.js", 404),
        ("DELETE", "/v1/model", 405),
    ],
)
def test_what_is_not_there(method: str, path: str, status: int, served: Served) -> None:
    got = served.ask(method, path)
    assert got.status == status
    assert set(got.json) == {"error", "hint"}
    if status == 405:
        assert got.headers["allow"]


def test_a_client_may_not_name_files_or_addresses(served: Served, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(RED)
    for named in (str(tmp_path / "a.png"), (tmp_path / "a.png").as_uri(), served.url + "/icon.svg"):
        assert served.raw(named.encode()).status == 415
        assert served.send((named, GREEN)).json[0]["label"] == "green"


def test_chunked_bodies_are_counted(served: Served) -> None:
    good = served.ask("POST", "/v1/predict", iter([RED[:10], RED[10:]]), {"Content-Type": "image/png"})
    assert labels(good.json) == ["red"]
    got = served.ask("POST", "/v1/predict", iter([b"\xff" * 100_000] * 11), {"Content-Type": "image/png"})
    assert got.status == 413


def answer_to(connection: socket.socket) -> tuple[int, dict[str, object]]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, json.loads(response.read())


def test_a_length_that_claims_too_much_is_refused_at_once(served: Served) -> None:
    for length in ("1000001", "9" * 18):
        with served.connect() as connection:
            connection.sendall(
                f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()
            )
            assert answer_to(connection)[0] == 413


def test_a_length_that_claims_too_little(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n" + RED)
        while received := connection.recv(1000):
            assert received.startswith(b"HTTP/1.1 4")
    assert labels(served.raw(RED).json) == ["red"]


def test_clients_that_are_slow_or_leave(colours: Path) -> None:
    with serving(colours, "--timeout", "0.5") as served:
        with served.connect() as connection:
            connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
            status, value = answer_to(connection)
            assert status == 408
            assert value["error"] == "the request did not arrive within 0.5 seconds"
            assert connection.recv(10) == b""
        with served.connect() as connection:
            connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        idle = served.connect()
        assert labels(served.raw(RED).json) == ["red"]
        time.sleep(0.7)
        metrics = served.ask("GET", "/metrics").body.decode()
        assert 'path="/v1/predict",status="408"} 1' in metrics
        assert 'path="/v1/predict",status="499"} 1' in metrics
        assert served.end() == 0
        idle.close()
        assert served.process.stderr is not None
        assert "Traceback" not in served.process.stderr.read()


def test_a_full_queue_and_a_late_answer_are_told_to_come_again(colours: Path) -> None:
    large = bomb(7000)
    with serving(colours, "--queue", "1", "--timeout", "20") as served:
        got = [served.raw(large)]
        assert got[0].status == 200

        def ask() -> None:
            got.append(served.raw(large))

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {reply.status for reply in got} == {200, 503}
        for busy in (reply for reply in got if reply.status == 503):
            assert busy.json == {"error": "too many images are waiting", "hint": "try again in a moment"}
            assert busy.headers["retry-after"] == "1"
    with serving(colours, "--timeout", "0.1") as served:
        late = served.raw(large)
        assert (late.status, late.json["error"]) == (503, "there was no answer within 0.1 seconds")
        assert late.headers["retry-after"] == "1"
        deadline = time.monotonic() + 20
        while served.raw(RED).status != 200:
            assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost"}, 200),
        ({"Host": "127.0.0.1:9000"}, 200),
        ({"Host": "[::1]:80"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:8000"}, 403),
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
        ({"Host": "localhost:1", "Origin": "http://localhost:2"}, 403),
        ({"Host": "localhost", "Origin": "null"}, 403),
        ({"Host": "localhost", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "localhost", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "localhost", "Origin": "https://proxy.example", "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_pages_of_other_sites_get_nothing(headers: dict[str, str], status: int, served: Served) -> None:
    got = served.ask("POST", "/v1/predict", RED, {"Content-Type": "image/png", **headers})
    assert got.status == status
    if status == 403:
        assert set(got.json) == {"error", "hint"}
    if headers["Host"].endswith("example"):
        assert served.ask("GET", "/", headers=headers).status == 403


def test_a_connection_is_kept_after_a_refusal(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    for body, status in ((RED, 200), (b"text", 415), (b"\0" * 1_500_000, 413), (RED, 200)):
        connection.request("POST", "/v1/predict", body, {"Content-Type": "image/png"})
        assert reply(connection.getresponse()).status == status
    connection.close()

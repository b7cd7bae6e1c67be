"""What is answered, asked by a real client."""

import http.client
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from cnnctl import __version__
from cnnctl.data.decoder.images import decode, opencv
from cnnctl.data.sources import digits_folder
from cnnctl.inference.model import load_classifier
from cnnctl.runs import Run
from tests.cli.command import cnnctl
from tests.conftest import Trained
from tests.images import every_mode
from tests.inference.build import COLOURED, paint
from tests.serving.build import BLUE, GREEN, RED, Served, labels, multipart, plain, reply


def test_the_answer_is_that_of_predict(digits_run: Trained, served_digits: Served, tmp_path: Path) -> None:
    names = ["0003.png", "zéro 0.png", "bad.png"]
    shutil.copy(digits_folder() / "3" / "0003.png", tmp_path / names[0])
    shutil.copy(digits_folder() / "0" / "0000.png", tmp_path / names[1])
    (tmp_path / names[2]).write_text("no image")
    files = [(name, (tmp_path / name).read_bytes()) for name in names]
    for top in ("1", "3", "10", "99"):
        done = cnnctl("predict", *names, "--run", digits_run.run, "--format", "json", "--top", top, cwd=tmp_path)
        expected = json.loads(done.stdout)
        got = served_digits.send(*files, path=f"/v1/predict?top={top}")
        assert got.status == 200
        assert got.headers["content-type"] == "application/json"
        assert [list(row) for row in got.json] == [list(row) for row in expected]
        for mine, theirs in zip(got.json, expected, strict=True):
            assert (mine["path"], mine["label"], mine.get("error")) == (
                theirs["path"],
                theirs["label"],
                theirs.get("error"),
            )
            assert [one["label"] for one in mine["top"]] == [one["label"] for one in theirs["top"]]
            chances = [one["probability"] for one in theirs["top"]]
            assert [one["probability"] for one in mine["top"]] == pytest.approx(chances, abs=1e-6)
    assert served_digits.send(files[0]).json[0] == served_digits.send(files[0], path="/v1/predict?top=3").json[0]


def test_raw_bytes_have_no_name_and_multipart_keeps_the_files_own(served: Served) -> None:
    assert served.raw(RED).json == [{**served.send(("a.png", RED)).json[0], "path": ""}]
    for kind in ("image/png", "image/jpeg", "IMAGE/PNG; q=1", "binary/octet-stream"):
        assert labels(served.raw(GREEN, kind=kind).json) == ["green"]
    assert labels(served.ask("POST", "/v1/predict", BLUE).json) == ["blue"]
    got = served.send(("folder/a b.png", RED), ("größe 🐱.png", BLUE), ("", GREEN)).json
    assert [(row["path"], row["label"]) for row in got] == [("a b.png", "red"), ("größe 🐱.png", "blue"), ("", "green")]


def test_of_several_images_the_good_ones_are_answered(served: Served) -> None:
    got = served.send(("a.png", RED), ("b.txt", b"text"), ("c.png", RED[:60]), ("d.png", BLUE))
    assert got.status == 200
    assert labels(got.json) == ["red", None, None, "blue"]
    assert [row.get("error") for row in got.json] == [
        None,
        "it is a text file",
        "the PNG file is cut off: its end is missing",
        None,
    ]


def test_every_format_gives_the_pixels_of_the_one_decoder(colours: Path, served: Served) -> None:
    classifier = load_classifier(Run(colours))
    images = every_mode()
    for name, content in images.items():
        expected = classifier.probabilities(decode(content, classifier.spec)[None])[0]
        (row,) = served.raw(content).json
        assert row["probability"] == pytest.approx(float(expected.max()), abs=1e-6), name
    assert len(images) > 30


def test_a_view_is_what_the_network_sees_and_gets_the_same_answer(digits_run: Trained, served_digits: Served) -> None:
    spec = load_classifier(Run(digits_run.run)).spec
    content = every_mode()["rgb jpeg"]
    view = served_digits.raw(content, "/v1/view")
    assert (view.status, view.headers["content-type"]) == (200, "image/png")
    pixels = opencv().imdecode(np.frombuffer(view.body, np.uint8), opencv().IMREAD_UNCHANGED)
    np.testing.assert_array_equal(pixels.reshape(spec.shape), decode(content, spec))
    assert served_digits.raw(view.body, "/v1/view").body == view.body
    assert served_digits.raw(view.body).json == served_digits.raw(content).json


def test_a_view_in_colour(served: Served) -> None:
    pixels = opencv().imdecode(np.frombuffer(served.raw(RED, "/v1/view").body, np.uint8), opencv().IMREAD_UNCHANGED)
    assert pixels.shape == (6, 4, 3)
    assert pixels[0, 0].tolist() == [0, 0, 250]
    assert served.send(("a.png", RED), ("b.png", RED), path="/v1/view").status == 422


def test_many_at_once_get_their_own_answers(colours: Path, served: Served) -> None:
    classifier = load_classifier(Run(colours))
    wrong: list[object] = []

    def ask(seed: int) -> None:
        generator = np.random.default_rng(seed)
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        for number in range(20):
            colours = generator.integers(0, 256, (int(generator.integers(1, 5)), 3)).tolist()
            files = [(f"{seed}-{number}-{place}.png", plain(*colour)) for place, colour in enumerate(colours)]
            kind, body = multipart(*files)
            connection.request("POST", "/v1/predict", body, {"Content-Type": kind})
            got = reply(connection.getresponse())
            pixels = np.stack([decode(content, classifier.spec) for _, content in files])
            expected = classifier.probabilities(pixels).max(axis=1)
            if [row["path"] for row in got.json] != [name for name, _ in files] or not np.allclose(
                [row["probability"] for row in got.json], expected, atol=1e-5
            ):
                wrong.append(got.body)
        connection.close()

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_model_is_described(served: Served, served_digits: Served) -> None:
    value = served.ask("GET", "/v1/model").json
    assert value["run"] == "run"
    assert value["classes"] == ["red", "green", "blue"]
    assert value["input"] == {"height": 6, "width": 4, "channels": 3, "fit": "stretch", "background": [0, 0, 0]}
    assert value["limits"] == {"body_bytes": 1_000_000, "images": 4, "image_pixels": 64 * 2**20, "seconds": 30}
    assert value["explains"] is False
    assert value["versions"]["cnnctl"] == __version__
    digits = served_digits.ask("GET", "/v1/model").json
    assert (digits["run"], digits["explains"]) == ("digits 1", True)
    assert digits["limits"]["body_bytes"] == 100_000_000


def test_health_and_metrics(served: Served) -> None:
    assert served.ask("GET", "/healthz").json == {"status": "ok"}
    before = counted(served)
    served.send(("a.png", RED), ("b.png", b"no"))
    served.raw(b"no")
    served.ask("GET", "/no/such/path")
    after = counted(served)
    grown = {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}
    assert grown['cnnctl_requests_total{path="/v1/predict",status="200"}'] == 1
    assert grown['cnnctl_requests_total{path="/v1/predict",status="415"}'] == 1
    assert grown['cnnctl_requests_total{path="other",status="404"}'] == 1
    assert grown['cnnctl_images_total{outcome="answered"}'] == 1
    assert grown['cnnctl_images_total{outcome="refused"}'] == 2
    assert grown['cnnctl_request_duration_seconds_count{path="/v1/predict"}'] == 2
    assert grown['cnnctl_request_duration_seconds_bucket{path="/v1/predict",le="+Inf"}'] == 2
    assert 0 < grown['cnnctl_request_duration_seconds_sum{path="/v1/predict"}'] < 30
    assert grown["cnnctl_batched_images_total"] == 3
    assert (after["cnnctl_queue_images"], after["cnnctl_queue_limit_images"]) == (0, 256)


def counted(served: Served) -> dict[str, float]:
    got = served.ask("GET", "/metrics")
    assert got.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    rows = (line.rpartition(" ") for line in got.body.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/icon.svg", "/docs", "/openapi.json", "/v1/model"])
def test_whatever_is_sent_keeps_browsers_strict(path: str, served: Served) -> None:
    got = served.ask("GET", path)
    assert got.status == 200
    assert "default-src 'none'" in got.headers["content-security-policy"]
    assert "unsafe" not in got.headers["content-security-policy"]
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "server" not in got.headers
    if "etag" in got.headers:
        again = served.ask("GET", path, headers={"If-None-Match": got.headers["etag"]})
        assert (again.status, again.body) == (304, b"")


def test_the_description_and_its_page_name_every_path(served: Served, served_digits: Served) -> None:
    paths = ["/v1/predict", "/v1/view", "/v1/model", "/healthz", "/metrics"]
    assert sorted(served.ask("GET", "/openapi.json").json["paths"]) == sorted(paths)
    assert sorted(served_digits.ask("GET", "/openapi.json").json["paths"]) == sorted([*paths, "/v1/explain"])
    page = served.ask("GET", "/docs").body.decode()
    assert all(path in page for path in paths)
    assert f"-F image=@cat.jpg http://127.0.0.1:{served.port}/v1/predict" in page
    assert "https://" not in page


def test_a_coverage_adds_the_set(served_digits: Served, digits_run: Trained, tmp_path: Path) -> None:
    image = digits_folder() / "3" / "0003.png"
    command = ("predict", image, "--run", digits_run.run, "--format", "json", "--coverage", "0.99")
    (expected,) = json.loads(cnnctl(*command, cwd=tmp_path).stdout)
    (got,) = served_digits.raw(image.read_bytes(), "/v1/predict?coverage=0.99").json
    assert got["prediction_set"] == expected["prediction_set"]
    assert "prediction_set" not in served_digits.raw(image.read_bytes(), "/v1/predict").json[0]
    for wrong in ("0", "1", "95", "x", "nan", ""):
        refused = served_digits.raw(image.read_bytes(), f"/v1/predict?coverage={wrong}")
        assert (refused.status, refused.json["error"]) == (
            422,
            f"coverage is a number between 0 and 1; received: {wrong}",
        )


def test_an_image_unlike_the_training_images_is_unknown(served: Served, colours: Path, tmp_path: Path) -> None:
    paths = [paint(tmp_path / f"{name}.png", *colour) for name, colour in COLOURED.items()]
    command = ("predict", *paths, "--run", colours, "--format", "json")
    expected = json.loads(cnnctl(*command, cwd=tmp_path).stdout)
    got = served.send(*((path, Path(path).read_bytes()) for path in paths)).json
    assert [row["unknown"] for row in got] == [False, False, True]
    for name in ("label", "unknown", "unknown_score", "unknown_threshold"):
        assert [row[name] for row in got] == pytest.approx([row[name] for row in expected])

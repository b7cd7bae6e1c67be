"""POST /v1/explain: Grad-CAM by a process of its own."""

import base64
import io
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from PIL import Image

from cnnctl.data.builtin import digits_folder
from cnnctl.runs import Run
from cnnctl.serving.explainer import why_not
from tests.conftest import Trained
from tests.serving.build import RED, Reply, labels, serving


def children(process: "subprocess.Popen[str]") -> list[int]:
    pids: list[int] = []
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        pids += [int(pid) for pid in (task / "children").read_text().split()]
    return pids


def test_a_digit_is_explained_while_others_are_answered(digits_run: Trained) -> None:
    image = (digits_folder() / "3" / "0003.png").read_bytes()
    with serving(digits_run.run) as served:
        assert children(served.process) == []
        label = served.raw(image).json[0]["label"]
        explained: list[Reply] = []
        asking = threading.Thread(target=lambda: explained.append(served.raw(image, "/v1/explain")))
        asking.start()
        answered = 0
        while asking.is_alive():
            assert labels(served.raw(image).json) == [label]
            answered += 1
        assert answered > 20
        (got,) = explained
        assert got.status == 200, got.body
        check(got, label)
        first = children(served.process)
        assert len(first) == 1
        assert len(served.raw(image, "/v1/explain?top=1").json["maps"]) == 1
        assert children(served.process) == first
        bad = served.raw(b"text", "/v1/explain")
        assert (bad.status, bad.json["error"]) == (415, "the image cannot be used: it is a text file")

        os.kill(first[0], signal.SIGKILL)
        lost = served.raw(image, "/v1/explain")
        assert (lost.status, set(lost.json)) == (503, {"error", "hint"})
        served.end()
    for pid in first:
        assert not Path(f"/proc/{pid}").exists()


def check(got: Reply, label: str) -> None:
    value = got.json
    assert (value["method"], value["layer"]) == ("grad-cam", "conv2d_1")
    assert value["maps"][0]["label"] == label
    chances = [one["probability"] for one in value["maps"]]
    assert chances == sorted(chances, reverse=True)
    assert len(chances) == 3
    pictures = set()
    for one in value["maps"]:
        head, _, content = one["picture"].partition(",")
        assert head in ("data:image/png;base64", "data:image/webp;base64")
        with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            assert max(picture.size) > 300
            assert len(picture.convert("RGB").getcolors(2**20) or ()) > 20
        pictures.add(content)
    assert len(pictures) == 3


@pytest.mark.parametrize("options", [("--no-explain",), ()])
def test_where_it_is_not_offered_nothing_is_there(options: tuple[str, ...], digits_run: Trained, colours: Path) -> None:
    with serving(digits_run.run if options else colours, *options) as served:
        got = served.raw(RED, "/v1/explain")
        assert got.status == 404
        assert "/v1/explain" not in served.ask("GET", "/openapi.json").json["paths"]


def test_why_a_run_cannot_be_explained(colours: Path, digits_run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not(Run(colours)) == "the run has no model.keras"
    assert why_not(Run(digits_run.run)) is None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert why_not(Run(digits_run.run)) == "Keras is not installed"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name == "keras" else None)
    assert why_not(Run(digits_run.run)) == "neither TensorFlow nor JAX is installed"


def test_a_model_that_cannot_be_read_says_so(digits_run: Trained, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(digits_run.run, broken)
    (broken / "model.keras").write_bytes(b"no model")
    with serving(broken) as served:
        got = served.raw((digits_folder() / "3" / "0003.png").read_bytes(), "/v1/explain")
        assert got.status == 503
        assert "model.keras" in got.json["error"]
        assert served.raw(RED).status == 200

"""POST /v1/explain: Grad-CAM by a process of its own."""

import asyncio
import base64
import io
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnctl.data.sources import digits_folder
from cnnctl.runs import Run
from cnnctl.serving import explainer
from cnnctl.serving.batcher import Seen
from cnnctl.serving.errors import BUG, RequestError
from cnnctl.serving.explainer import why_not
from tests.conftest import Trained
from tests.serving.build import RED, Reply, children, labels, serving


def test_a_digit_is_explained_while_others_are_answered(digits_run: Trained) -> None:
    image = (digits_folder() / "3" / "0003.png").read_bytes()
    with serving(digits_run.run) as served:
        assert children(served.process, "explaining_process") == []
        label = served.raw(image).json[0]["label"]
        explained: list[Reply] = []
        asking = threading.Thread(target=lambda: explained.append(served.raw(image, "/v1/explain")))
        asking.start()
        answered = 0
        while asking.is_alive():
            assert labels(served.raw(image).json) == [label]
            answered += 1
            time.sleep(0.02)
        assert answered > 20
        (got,) = explained
        assert got.status == 200, got.body
        check(got, label)
        first = children(served.process, "explaining_process")
        assert len(first) == 1
        assert len(served.raw(image, "/v1/explain?top=1").json["maps"]) == 1
        assert children(served.process, "explaining_process") == first
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


FAKE = """
import json, sys, time
for line in sys.stdin:
    question = json.loads(line)
    if question["top"] == 1:
        sys.exit()
    if question["top"] == 2:
        time.sleep(60)
    answers = {3: {"maps": []}, 4: {"error": "no", "hint": "mend it"}, 5: {"traceback": "a bug"}}
    print(json.dumps(answers[question["top"]]), flush=True)
"""
SEEN = Seen(np.zeros((2, 2, 1), np.uint8), np.array([0.5, 0.5], np.float32))


def test_whatever_becomes_of_the_process_there_is_an_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(explainer, "_PROGRAM", FAKE)
    monkeypatch.setattr(explainer, "SECONDS", 2.0)

    async def ask(asked: explainer.Explainer, top: int) -> object:
        try:
            return await asked.explain(SEEN, top)
        except RequestError as error:
            return error.status, error.error, error.hint

    async def ask_all() -> list[object]:
        with explainer.Explainer(Run(tmp_path)) as asked:
            got = [await ask(asked, top) for top in (3, 4, 5, 1, 3)]
            got += await asyncio.gather(*(ask(asked, 3) for _ in range(10)))
            return [*got, await ask(asked, 2), await ask(asked, 3)]

    given_up = (503, "the explanation took too long", "the limit is 2 seconds")
    got = asyncio.run(ask_all())
    assert got[:5] == [{"maps": []}, (503, "no", "mend it"), (BUG.status, BUG.error, BUG.hint), given_up, {"maps": []}]
    assert got[5:13] == [{"maps": []}] * 8
    assert got[13:15] == [(503, "too many explanations are waiting", "try again in a moment")] * 2
    assert got[15:] == [given_up, {"maps": []}]

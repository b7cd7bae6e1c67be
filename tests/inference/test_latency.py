import json
from types import SimpleNamespace

import pytest

from cnnctl.inference import latency
from cnnctl.inference.model import load_classifier
from tests.config.build import config, with_model
from tests.inference.build import colour_run


def test_the_median_of_single_images_in_milliseconds(tmp_path, monkeypatch):
    spec, asked, clock = load_classifier(colour_run(tmp_path / "run")).spec, [], [0.0]

    class Clocked:
        def __init__(self):
            self.spec = spec

        def probabilities(self, images):
            asked.append(images.shape)
            clock[0] += 0.5 if len(asked) == 10 else 0.004

    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    assert latency.median_latency(Clocked()) == pytest.approx(4)
    assert asked == [(1, 6, 4, 3)] * 33


def test_a_slow_model_is_asked_for_two_seconds(tmp_path, monkeypatch):
    spec, asked, clock = load_classifier(colour_run(tmp_path / "run")).spec, [], [0.0]

    class Slow:
        def __init__(self):
            self.spec = spec

        def probabilities(self, images):
            asked.append(images.shape)
            clock[0] += 1.0

    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    assert latency.median_latency(Slow()) == 1000
    assert len(asked) == 5


@pytest.mark.parametrize(
    ("budget", "is_told"), [("latency_ms: 1.0e-6", True), ("latency_ms: 60000", False), ("", False)]
)
def test_a_slow_model_is_told(budget, is_told, tmp_path):
    from cnnctl.training.train import _latency

    run, notes = colour_run(tmp_path / "run"), []

    class Noting:
        def note(self, text):
            notes.append(text)

    chosen = config(with_model("flatten", rest=f"budget: {{{budget}}}\n"))
    taken = _latency(chosen, run, Noting())
    assert [text.startswith(f"warning: model.onnx takes {taken:.3g} ms") for text in notes] == [True] * is_told


def test_a_run_says_its_latency(digits_run):
    assert json.loads((digits_run.run / "environment.json").read_text())["latency_ms"] > 0

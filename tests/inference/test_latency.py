import json

import pytest

from cnnctl.inference.latency import median_latency
from cnnctl.inference.model import load_classifier
from tests.config.build import config, with_model
from tests.inference.build import colour_run


def test_the_median_of_single_images_in_milliseconds(tmp_path):
    classifier = load_classifier(colour_run(tmp_path / "run"), threads=1)
    asked = []

    class Counted:
        spec = classifier.spec

        def probabilities(self, images):
            asked.append(images.shape)
            return classifier.probabilities(images)

    latency = median_latency(Counted())
    assert set(asked) == {(1, 6, 4, 3)}
    assert len(asked) == 33
    assert 0 < latency < 1000


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
    latency = _latency(chosen, run, Noting())
    assert [text.startswith(f"warning: model.onnx takes {latency:.3g} ms") for text in notes] == [True] * is_told


def test_a_run_says_its_latency(digits_run):
    assert json.loads((digits_run.run / "environment.json").read_text())["latency_ms"] > 0

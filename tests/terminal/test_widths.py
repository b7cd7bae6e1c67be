"""What commands print fits 60 and 80 columns in its widest cases: long names, wide characters, many columns."""

import io
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cnnctl.config import load
from cnnctl.evaluation.score import score
from cnnctl.inference.answers import Answer, Prediction
from cnnctl.network_source import find_subject
from cnnctl.sweeping.cross_validation import Spread
from cnnctl.system.loudness import QUIET, set_loudness
from cnnctl.terminal import files, found, predict, sweep, training, weights
from cnnctl.terminal.layout import cells_of
from cnnctl.terminal.summary import print_summary
from cnnctl.weights.published import NETWORKS
from tests.conftest import CONFIGS

WIDTHS = (60, 80)
NAMES = (
    "Rhododendron ferrugineum subsp. ferrugineum var. album (Gouan)",
    "日本語のとても長いクラス名前ですこれはテストです",
    "n02085620-Chihuahua_and_other_very_small_dogs_of_the_old_world",
    *(f"class {number}" for number in range(9)),
)
PATH = Path("runs/flowers-of-the-alps-by-altitude/17")


class Screen(io.StringIO):
    """A terminal; its width is COLUMNS."""

    def isatty(self) -> bool:
        return True


def evaluation() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(12), 40_000).astype(np.float32)
    metrics = score(probabilities, np.arange(40_000) % 12, NAMES)
    training.print_evaluation(SimpleNamespace(metrics=metrics, split="validation"))  # type: ignore[arg-type]


def trained() -> None:
    figures = {"images": 10_000, "accuracy": 0.91234, "accuracy_interval": (0.9, 0.92), "loss": 0.2345}
    made: Any = SimpleNamespace(
        evaluation=SimpleNamespace(metrics=SimpleNamespace(figures=figures), split="validation"),
        record=SimpleNamespace(history=[{}] * 120, best_epoch=117),
        parity=SimpleNamespace(written=True),
        seconds=12345.0,
        trackers={"tensorboard": "tensorboard --logdir runs/flowers-of-the-alps-by-altitude/17/tensorboard"},
    )
    training.print_trained(PATH, made)


def schedule() -> None:
    training.print_schedule(load(CONFIGS / "digits.yaml").train, np.full(40 * 9, 1.23456e-5, np.float32), 9, False)


def network() -> None:
    print_summary(find_subject(CONFIGS / "cats-dogs.yaml", []), with_formulas=True, expand=True)


def sweep_of_ten_keys() -> None:
    keys = ("learning_rate", "weight_decay", "batch_size", "filters", "rate", "momentum", "epochs", "factor", "begin")
    values = {f"train.optimizer.adamw.{key}": 0.000123456 for key in keys} | {"train.schedule": {"cosine": {}}}
    slot = SimpleNamespace(number=123, value=0.98765, epochs=12_345, seconds=12_345.0, values=values)
    result: Any = SimpleNamespace(
        trials=[slot],
        ranked=[slot] * 12,
        metric="validation_accuracy",
        best=slot,
        best_config=PATH / "best.yaml",
        folder=PATH,
        pictures=[PATH / "pictures" / "history.png"],
        count=lambda state: 12_345,
        run_of=lambda slot: PATH / "trials" / "0123",
    )
    sweep.print_sweep(result)


def folds() -> None:
    shares = [
        Spread(key, 0.912345, 0.01, 0.9, 0.92, (0.89, 0.93)) for key in ("accuracy", "expected_calibration_error")
    ]
    result: Any = SimpleNamespace(
        spreads=shares,
        folds=10,
        repeat=10,
        runs=[PATH / "1"],
        folder=PATH,
        ensemble=SimpleNamespace(path=PATH / "ensemble"),
        pooled=SimpleNamespace(figures={}, several=False),
    )
    sweep.print_cross_validation(result)


def networks() -> None:
    weights.print_networks(tuple(NETWORKS.values()), as_json=False)


def exported() -> None:
    parity = SimpleNamespace(
        reference="model.keras", split="validation", images=10_000, largest_difference=0.01234, equal_answers=0.9999,
        reference_accuracy=0.91234, accuracy=0.91233, accuracy_change=-0.0123,
    )  # fmt: skip
    files.print_exported(SimpleNamespace(parity=parity, path=PATH / "model.tflite", size=123_456_789))  # type: ignore[arg-type]


def samples() -> None:
    kinds = [(name, None if place else "the file is cut off at byte 1,234") for place, name in enumerate(NAMES)]
    shown = [
        SimpleNamespace(
            path=f"photos/{name}/IMG_20240101_123456.jpeg", label=name, size=(4000, 6000), kept=0.5, error=why
        )
        for name, why in kinds
    ]
    files.print_samples(shown, PATH / "preview.png", as_json=False)  # type: ignore[arg-type]


def config_for_photos() -> None:
    seen: Any = SimpleNamespace(
        counts=Counter({name: 10_000 + place for place, name in enumerate((*NAMES, "one", "two"))}),
        left_out=Counter({"text": 3}),
        notices=[],
        columns=SimpleNamespace(path="file name", label="species", folder="photos/of/the/alps"),
        unused={},
        unreadable=[],
        opened=12,
    )
    reasons = {"image": "64x64 pixels, since half of the images are at least 1,200x1,600 and details matter"}
    choices: Any = SimpleNamespace(reasons=reasons, advice=None)
    files.print_written(seen, choices, Path("flowers-of-the-alps-by-altitude.yaml"))


def answers() -> None:
    top = tuple((name, 0.123456) for name in NAMES[:5])
    said = Prediction(NAMES[0], 0.123456, top, np.full(5, 0.2, np.float32), prediction_set=NAMES)
    for listed in ([Answer("flowers/IMG_20240101_123456.jpeg", said, None)] * 2, [Answer("a.jpeg", said, None)]):
        predict.WRITERS["table"](listed, sys.stdout, 0.95)


def machine() -> None:
    device = SimpleNamespace(
        kind="gpu", name="NVIDIA H100 80GB HBM3", count=8, idle=0, precision="mixed_bfloat16",
        reason="the GPU has arithmetic of 16 bits",
    )  # fmt: skip
    there: Any = SimpleNamespace(
        device=device, trouble=None, versions={"opencv-python-headless": "4.13.0.90"}, executable="/usr/bin/python3",
        backend="tensorflow", cache="/home/somebody/.cache/cnnctl/images", cache_bytes=123_456_789_012,
    )  # fmt: skip
    found.print_machine(there, as_json=False)


EVERYTHING = (
    *(evaluation, trained, schedule, network, sweep_of_ten_keys, folds, networks, exported, samples),
    *(config_for_photos, answers, machine),
)


def printed(show: Callable[[], None], width: int, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stdout", stream)
    show()
    return stream.getvalue()


def is_to_be_copied(line: str) -> bool:
    """Whether it is a path, or a command beside its name, which a terminal breaks and a copy of it has whole."""
    return " " not in line.strip() or line.startswith("tensorboard ")


@pytest.mark.parametrize("show", EVERYTHING)
def test_no_line_is_wider_than_the_terminal(show: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    for width in WIDTHS:
        lines = printed(show, width, Screen(), monkeypatch).splitlines()
        wide = [line for line in lines if cells_of(line) > width]
        assert [line for line in wide if not is_to_be_copied(line)] == []


@pytest.mark.parametrize(
    ("show", "lines"),
    [
        (trained, [str(PATH)]),
        (schedule, ["1.23456e-05"] * 40),
        (sweep_of_ten_keys, [f"{PATH}/best.yaml"]),
        (folds, ["0.912345"]),
        (networks, list(NETWORKS)),
        (exported, [f"{PATH}/model.tflite"]),
        (samples, [f"{PATH}/preview.png"]),
        (config_for_photos, ["flowers-of-the-alps-by-altitude.yaml"]),
        (answers, [f"flowers/IMG_20240101_123456.jpeg\t{NAMES[0]}"] * 2 + [NAMES[0]]),
    ],
)
def test_a_script_gets_the_result_alone(
    show: Callable[[], None], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set_loudness(QUIET)
    try:
        assert printed(show, 60, Screen(), monkeypatch).splitlines() == lines
    finally:
        set_loudness(before)

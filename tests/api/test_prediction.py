"""`Predictor`: files, bytes and arrays, one and many."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cnnctl
from cnnctl.data.decoder.images import ImageSpec, from_pixels, read_image
from cnnctl.inference.stream import batch_size_for
from cnnctl.runs import Run
from tests.cli.command import succeed
from tests.images import picture
from tests.inference.build import COLOURED, COLOURS, SPEC, colour_run, knowing_run, paint


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return colour_run(tmp_path / "run")


def test_the_forms_of_an_image_have_one_answer(run: Run, tmp_path: Path) -> None:
    path = paint(tmp_path / "green.png", 40, 200, 90)
    pixels = np.asarray(Image.open(path))
    predictor = cnnctl.Predictor(run.path)
    expected = predictor.predict(path)
    assert (expected.label, expected.probability) == ("green", expected.top[0][1])
    assert expected.probabilities.sum() == pytest.approx(1)
    assert expected.probabilities.dtype == np.float32
    with_alpha = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    for form in (Path(path), Path(path).read_bytes(), pixels, pixels[:, ::-1], with_alpha):
        answer = predictor.predict(form)
        assert answer == expected
        np.testing.assert_array_equal(answer.probabilities, expected.probabilities)


def test_it_answers_as_the_command_does(run: Run, tmp_path: Path) -> None:
    paths = [paint(tmp_path / f"{name}.png", *colour) for name, colour in {"a": (9, 99, 30), "b": (80, 7, 70)}.items()]
    printed = json.loads(succeed("predict", *paths, "--run", run.path, "--format", "json", cwd=tmp_path))
    for answer, row in zip(cnnctl.Predictor(run.path).predict(paths), printed, strict=True):
        assert answer.label == row["label"]
        assert answer.probability == pytest.approx(row["probability"], abs=1e-6)
        assert [name for name, _ in answer.top] == [one["label"] for one in row["top"]]


def test_a_coverage_adds_the_set(run: Run) -> None:
    image = np.full((5, 4, 3), 100, np.uint8)
    predictor = cnnctl.Predictor(run.path)
    with pytest.raises(cnnctl.RunError, match=r"has no prediction_sets\.json"):
        predictor.predict(image, coverage=0.9)
    scores = {"split": "validation", "images": 3, "ranked_scores": [[1, 0.0], [2, 0.0], [3, 1.0]]}
    run.prediction_sets.write_text(json.dumps(scores))
    assert predictor.predict(image).prediction_set is None
    few, all_of_them = (predictor.predict(image, coverage=coverage) for coverage in (0.5, 0.75))
    assert few.prediction_set == (few.label,)
    assert all_of_them.prediction_set == tuple(name for name, _ in all_of_them.top)
    with pytest.raises(cnnctl.UsageError, match="received: 2"):
        predictor.predict([image], coverage=2)


def test_several_are_a_list_in_their_order(run: Run) -> None:
    predictor = cnnctl.Predictor(run.path, threads=1)
    count = 2 * batch_size_for(SPEC) + 3
    colours = [np.full((5, 4, 3), np.eye(3, dtype=np.uint8)[number % 3] * 250) for number in range(count)]
    expected = [COLOURS[number % 3] for number in range(count)]
    assert [one.label for one in predictor.predict(colours, top=1)] == expected
    assert [one.label for one in predictor.predict(iter(colours))] == expected
    assert [one.label for one in predictor.predict(list(np.stack(colours)))] == expected
    assert [one.label for one in predictor.predict(tuple(colours[:1]))] == ["red"]
    assert predictor.predict([]) == []
    assert [len(predictor.predict(colours[0], top=top).top) for top in (1, 2, 9)] == [1, 2, 3]


def test_probabilities_of_a_batch(run: Run) -> None:
    predictor = cnnctl.Predictor(run.path)
    assert predictor.classes == COLOURS
    assert predictor.image == SPEC
    batch = np.random.default_rng(0).integers(0, 256, (batch_size_for(SPEC) + 1, *SPEC.shape)).astype(np.uint8)
    found = predictor.probabilities(batch)
    np.testing.assert_array_equal(found, [one.probabilities for one in predictor.predict(list(batch))])
    assert predictor.probabilities(batch[:0]).shape == (0, 3)
    for wrong in (batch.astype(np.float32), batch[0], batch[:, :3]):
        with pytest.raises(cnnctl.ImageError, match="expected a uint8 array of N x 6 x 4 x 3; received: "):
            predictor.probabilities(wrong)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("gone.png", "gone.png: there is no such file"),
        (b"text", "image 0: it is a text file"),
        (b"", "image 0: the file is empty"),
        (np.zeros((4, 4, 3)), "image 0: its pixels are of type float64; uint8 of 0 to 255 is expected"),
        (np.zeros((4, 4, 2), np.uint8), "image 0: an array of shape 4x4x2 is not an image"),
        (np.zeros((0, 4, 3), np.uint8), "image 0: an array of shape 0x4x3 is not an image"),
        (np.zeros((2, 4, 4, 3), np.uint8), "image 0: an array of shape 2x4x4x3 is not an image"),
        (np.zeros(4, np.uint8), "image 0: an array of shape 4 is not an image"),
    ],
)
def test_what_is_no_image_is_named_with_the_reason(image: Any, said: str, run: Run) -> None:
    predictor = cnnctl.Predictor(run.path)
    with pytest.raises(cnnctl.ImageError) as caught:
        predictor.predict(image)
    assert caught.value.message.startswith(said)
    good = np.zeros((3, 3, 3), np.uint8)
    with pytest.raises(cnnctl.ImageError) as caught:
        predictor.predict([good, good, image])
    assert caught.value.message.startswith(said.replace("image 0", "image 2"))
    assert isinstance(caught.value, cnnctl.DataError)


def test_a_pil_image_is_told_how(run: Run) -> None:
    with pytest.raises(cnnctl.ImageError) as caught:
        cnnctl.Predictor(run.path).predict([picture(5, 5)])
    assert caught.value.hint == "for a PIL image: numpy.asarray(image.convert('RGB'))"


def test_nonsense_is_refused(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(cnnctl.UsageError, match="top=0"):
        cnnctl.Predictor(run.path).predict(b"", top=0)
    with pytest.raises(cnnctl.UsageError, match="threads=0"):
        cnnctl.Predictor(run.path, threads=0)
    with pytest.raises(cnnctl.RunError, match="there is no run at nowhere"):
        cnnctl.Predictor("nowhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cnnctl.RunError, match="there is no run yet"):
        cnnctl.Predictor()


def test_threads_share_a_predictor(run: Run) -> None:
    predictor = cnnctl.Predictor(run.path)
    answers: dict[int, list[str]] = {}

    def ask(number: int) -> None:
        image = np.full((7, 7, 3), np.eye(3, dtype=np.uint8)[number % 3] * 200)
        answers[number] = [one.label for one in predictor.predict([image] * 50)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [COLOURS[number % 3]] * 50 for number in range(6)}


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_pixels_in_memory_are_made_as_those_of_a_file(mode: str, channels: int, fit: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    image = picture(31, 44).convert(mode)
    if mode == "RGBA":
        image.putalpha(picture(31, 44).convert("L"))
    image.save(path)
    spec = ImageSpec(12, 20, channels, fit, (10, 200, 30))
    np.testing.assert_array_equal(from_pixels(np.asarray(image), spec), read_image(path, spec))


def test_an_image_unlike_the_training_images_is_unknown(tmp_path: Path) -> None:
    """A run that was trained on reds and greens."""
    path = knowing_run(tmp_path / "run").path
    images = [np.full((7, 7, 3), colour, np.uint8) for colour in COLOURED.values()]
    found = cnnctl.Predictor(path).predict(images)
    assert [(one.label, one.unknown) for one in found] == [("red", False), ("green", False), ("blue", True)]
    assert found[2].foreign is not None
    assert found[2].foreign.score > found[2].foreign.threshold
    assert [one.unknown for one in cnnctl.Predictor(path, unknown=False).predict(images)] == [None] * 3


def test_a_notebook_shows_the_image_and_the_answer(run: Run, tmp_path: Path) -> None:
    path, pixels = paint(tmp_path / "<red>.png", 250, 0, 0), np.zeros((9, 7, 3), np.uint8)
    predictor = cnnctl.Predictor(run.path)
    one = predictor.predict(path)._repr_html_()
    assert one.count("<img ") == 1
    assert "<b>red</b>" in one
    assert "<red>" not in one
    several = predictor.predict([path, pixels])
    assert several == list(several)
    assert several._repr_html_().count("<img ") == 2  # type: ignore[attr-defined]
    assert predictor.predict(image for image in [pixels])[0].see is None
    Path(path).unlink()
    assert "<img " not in several[0]._repr_html_()
    many = predictor.predict([pixels] * 40)._repr_html_()  # type: ignore[attr-defined]
    assert (many.count("<img "), "and 10 more" in many) == (30, True)

"""Files in, answers out: in their order, in batches, a few ahead and no more."""

import itertools

import numpy as np
import pytest

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.inference import stream
from cnnctl.inference.model import Classifier, load_classifier
from cnnctl.inference.stream import BATCH, batch_size_for, classify
from cnnctl.runs import Run
from tests.inference.build import SPEC, colour_run, paint


@pytest.fixture
def classifier(tmp_path):
    return load_classifier(colour_run(tmp_path / "run"))


@pytest.fixture
def photos(tmp_path):
    """Thirty colours, and four files that are none."""
    paths = [
        paint(tmp_path / f"{number:02}.png", *(int(part) for part in colour))
        for number, colour in enumerate(np.random.default_rng(0).integers(0, 256, (30, 3)))
    ]
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "heic.jpg").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 40)
    others = [str(tmp_path / name) for name in ("text.jpg", "gone.png", "empty.png", "heic.jpg")]
    for place, path in zip((3, 4, 17, 33), others, strict=True):
        paths.insert(place, path)
    return paths


@pytest.mark.parametrize("batch_size", [1, 2, 5, 17, 34, BATCH])
def test_answers_keep_the_order_with_failures_in_between(classifier, photos, batch_size):
    answers = list(classify(classifier, photos, batch_size))
    assert [answer.path for answer in answers] == photos
    alone = [next(classify(classifier, [path])) for path in photos]
    for together, single in zip(answers, alone, strict=True):
        assert together.error == single.error
        assert (together.probabilities is None) == (together.error is not None)
        if single.probabilities is not None:
            np.testing.assert_allclose(together.probabilities, single.probabilities, atol=1e-6)
    assert {place: answers[place].error for place in (3, 4, 17, 33)} == {
        3: "it is a text file",
        4: "there is no such file",
        17: "the file is empty",
        33: "the HEIC image is damaged: its header has no valid size",
    }
    assert sum(answer.error is None for answer in answers) == 30
    assert len({tuple(answer.probabilities) for answer in answers if answer.probabilities is not None}) > 1


@pytest.mark.parametrize("count", range(10))
def test_batches_are_full_but_for_the_last(count, classifier, tmp_path):
    sizes = []

    class Counting(Classifier):
        def probabilities(self, images):
            assert images.shape[1:] == SPEC.shape
            sizes.append(len(images))
            return super().probabilities(images)

    path = paint(tmp_path / "one.png", 1, 2, 3)
    counting = Counting(classifier.classes, classifier.spec, classifier.session, classifier.path)
    assert len(list(classify(counting, [path] * count, batch_size=4))) == count
    assert sorted(sizes, reverse=True) == [4] * (count // 4) + [count % 4] * (count % 4 > 0)


def test_a_single_image_needs_no_threads(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "ThreadPoolExecutor", None)
    (answer,) = classify(classifier, [paint(tmp_path / "one.png", 0, 0, 250)])
    assert classifier.classes[answer.probabilities.argmax()] == "blue"
    (failed,) = classify(classifier, [str(tmp_path)])
    assert (failed.path, failed.error) == (str(tmp_path), "it is a folder")


@pytest.mark.parametrize("batch_size", [1, 16, BATCH])
def test_input_is_read_a_few_batches_ahead_and_no_more(classifier, tmp_path, monkeypatch, batch_size):
    monkeypatch.setattr(stream, "available_cores", lambda: 2)
    path = paint(tmp_path / "one.png", 250, 0, 0)
    taken = itertools.count()
    names = (path for _ in range(10_000) if next(taken) >= 0)
    answers = classify(classifier, names, batch_size)
    assert next(answers).probabilities is not None
    first = next(taken)
    assert first <= 2 * 2 * batch_size + 1
    for _ in range(3 * batch_size):
        next(answers)
    assert next(taken) - 1 <= first + 4 * batch_size
    answers.close()
    assert next(names) == path


def test_nothing_is_read_before_the_first_answer_is_asked_for(classifier):
    def names():
        raise AssertionError("read too early")
        yield

    classify(classifier, names())


def test_what_the_input_raises_is_not_swallowed(classifier, tmp_path):
    def names():
        yield from [paint(tmp_path / "one.png", 1, 1, 1)] * 3
        raise OSError("the list broke off")

    with pytest.raises(OSError, match="broke off"):
        list(classify(classifier, names(), batch_size=2))


def test_a_sigmoid_answers_for_both_classes(tmp_path):
    classifier = load_classifier(colour_run(tmp_path / "run", ("cold", "warm"), units=1))
    paths = [paint(tmp_path / "a.png", 250, 0, 0), paint(tmp_path / "b.png", 0, 0, 250)]
    chances = [answer.probabilities.tolist() for answer in classify(classifier, paths)]
    assert chances == [pytest.approx([0, 1], abs=1e-6), pytest.approx([1, 0], abs=1e-6)]


@pytest.mark.parametrize(
    ("height", "width", "size"), [(1, 1, 64), (32, 32, 64), (64, 64, 64), (96, 96, 28), (224, 224, 5), (2000, 3000, 1)]
)
def test_large_images_come_in_smaller_batches(height, width, size):
    assert batch_size_for(ImageSpec(height, width)) == size


def test_a_model_that_computes_in_one_thread_answers_alike(classifier, photos, tmp_path):
    alone = load_classifier(Run(tmp_path / "run"), threads=1)
    assert alone.session.get_session_options().intra_op_num_threads == 1
    for one, other in zip(classify(alone, photos), classify(classifier, photos), strict=True):
        assert (one.path, one.error) == (other.path, other.error)
        if one.probabilities is not None:
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)

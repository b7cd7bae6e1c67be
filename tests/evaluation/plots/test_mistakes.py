"""The gallery: which mistakes, in which order, with which captions, and files that are gone."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.evaluation.plots.mistakes import mistakes_figure, most_confident
from cnnctl.pictures import style
from tests.evaluation.plots.build import ODD, made_up
from tests.inference.build import paint

NAMES = ("cat", "dog")


def scored_by(chances, truth, paths, names=NAMES):
    probabilities = np.array([[1 - chance, chance] for chance in chances], np.float32)
    labels = np.array(truth)
    return replace(made_up(names), paths=paths, truth=labels, probabilities=probabilities)


def captions(figure):
    return [text.get_text() for text in figure.texts]


def test_the_most_probable_wrong_answers_come_first():
    scored = scored_by([0.9, 0.6, 0.1, 0.4, 0.9], [0, 0, 1, 0, 0], [f"photos/{name}.png" for name in "abcde"])
    found = most_confident(scored)
    assert [Path(mistake.path).name for mistake in found] == ["a.png", "c.png", "e.png", "b.png"]
    assert [(mistake.truth, mistake.predicted) for mistake in found][:2] == [("cat", "dog"), ("dog", "cat")]
    said = captions(mistakes_figure(scored))
    assert {"cat → dog  90.0%", "dog → cat  90.0%", "cat → dog  60.0%", "a.png"} <= set(said)
    assert "4 of 4 mistakes among 5 images; true class → answer and its probability" in said


def test_no_more_than_twenty_and_none_at_all():
    scored = made_up(("cat", "dog", "fox"))
    wrong = int((scored.probabilities.argmax(axis=1) != scored.truth).sum())
    assert len(most_confident(scored)) == 20 < wrong
    assert f"20 of {wrong} mistakes among 400 images; " in captions(mistakes_figure(scored))[-1]
    perfect = scored_by([0.1, 0.9], [0, 1], ["a.png", "b.png"])
    figure = mistakes_figure(perfect)
    assert captions(figure)[-1] == "no mistakes among 2 images"
    assert style.png(figure)


def test_pictures_are_the_images_and_lost_ones_are_labelled_blanks(tmp_path):
    red = paint(tmp_path / "red.png", 200, 10, 10)
    (tmp_path / "broken.png").write_text("no image")
    scored = scored_by([0.9, 0.8, 0.7], [0, 0, 0], [red, str(tmp_path / "gone.png"), str(tmp_path / "broken.png")])
    for spec in (ImageSpec(8, 8), ImageSpec(4, 16, 1, "pad"), ImageSpec(1000, 3)):
        figure = mistakes_figure(replace(scored, spec=spec))
        said = captions(figure)
        assert {"red.png", "gone.png", "broken.png", "there is no such file", "it is a text file"} <= set(said)
        canvas = figure.images[0].get_array()
        assert style.png(figure)
        if spec.channels == 3:
            reds = (canvas == (200, 10, 10)).all(axis=2)
            assert reds.sum() == 165 * max(1, round(165 * spec.width / max(spec.height, spec.width)))
        assert (canvas == 230).all(axis=2).sum() == 2 * 165**2


def test_captions_fit_whatever_the_names():
    long = "x" * 200 + ".png"
    for name in ODD:
        names = (name, "another name that is long as well")
        scored = scored_by([0.9, 0.2], [0, 1], [f"somewhere/{long}", "somewhere/\udcff$a$\n🐈.png"], names)
        figure = mistakes_figure(scored)
        assert style.png(figure)
        under = [text for text in figure.texts if text.get_fontsize() == style.SMALL]
        widths = [style.width_of(text.get_text(), style.SMALL) for text in under]
        assert all(width < 1.5 + 0.22 for width in widths)
        (shortened,) = [text.get_text() for text in under if text.get_text().startswith("xx")]
        assert shortened.endswith(".png")
        assert "…" in shortened

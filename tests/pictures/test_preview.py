"""Training images as the network sees them."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from cnnctl.config import load
from cnnctl.data.augment import augmenter
from cnnctl.data.catalog import image_spec, make_catalog
from cnnctl.data.decoder.images import opencv, read_image
from cnnctl.pictures.preview import choose, make_samples, preview_figure
from tests.pictures.look import assert_all_inside

CONFIG = """
data: {{train: {photos}, image: {{height: 12, width: 24, channels: {channels}, fit: {fit}}}}}
augment: [{steps}]
model: [flatten]
"""


def prepared(tmp_path: Path, photos: Path, fit: str = "crop", steps: str = "", channels: int = 3):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(photos=photos, fit=fit, steps=steps, channels=channels))
    config = load(path)
    frame = make_catalog(config.data, config.seed).frame
    chosen = frame[frame.split == "train"]
    return config, chosen.path.tolist(), chosen.label.tolist()


def test_every_class_has_its_turn():
    assert choose(["b", "b", "a", "b", "a", "c"], 4) == [2, 4, 0, 5]
    assert choose(["b", "a"], 9) == [1, 0]


def test_what_the_network_gets_and_its_variations_are_those_of_training(tmp_path, small_photos):
    config, paths, labels = prepared(tmp_path, small_photos, steps="random_rotation: {factor: 0.2}, cut_mix")
    samples = make_samples(config, paths, labels, 3, 4)
    spec = image_spec(config.data.image)
    images = [read_image(path, spec) for path in paths]
    vary = augmenter(config.augment, config.seed, images.__getitem__, len(images))
    assert sorted({one.label for one in samples}) == ["007", "1e3", "no"]
    for one in samples:
        number = paths.index(one.path)
        expected = [images[number], *(vary(number, epoch).image for epoch in range(4))]
        assert len(one.pictures) == 6
        for picture, pixels in zip(one.pictures[1:], expected, strict=True):
            enlarged = opencv().resize(pixels, picture.shape[1::-1], interpolation=opencv().INTER_NEAREST)
            assert np.array_equal(picture, enlarged)
        for caption, epoch in zip(one.captions, range(4), strict=True):
            shares = dict.fromkeys(labels, 0.0)
            for which, share in vary(number, epoch).shares:
                shares[labels[which]] += share
            named = sorted((name for name in shares if shares[name] >= 0.005), key=lambda name: -shares[name])
            assert [part.split()[0] for part in caption.split(", ")] == named


def test_what_a_crop_cuts_away_is_pale(tmp_path):
    photos = tmp_path / "photos"
    for name in ("a", "b"):
        (photos / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.full((100, 100, 3), 40, np.uint8)
            (photos / name / f"{number}.png").write_bytes(opencv().imencode(".png", pixels)[1].tobytes())
    one = make_samples(*prepared(tmp_path, photos), 1, 0)[0]
    assert (one.size, one.kept) == ((100, 100), 0.5)
    file = one.pictures[0]
    quarter = len(file) // 4
    assert (file[: quarter - 1] > 180).all()
    assert (file[quarter + 1 : -quarter - 1] == 40).all()
    assert (file[-quarter + 1 :] > 180).all()
    assert make_samples(*prepared(tmp_path, photos, fit="stretch"), 1, 0)[0].kept == 1.0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("steps", ["", "mix_up: {alpha: 0.4}, random_erasing"])
def test_the_picture(tmp_path, small_photos, channels, steps):
    config, paths, labels = prepared(tmp_path, small_photos, steps=steps, channels=channels)
    paths[labels.index("007")] = str(tmp_path / "gone.png")
    samples = make_samples(config, paths, labels, 12, 3)
    errors = [one.error for one in samples if one.error]
    assert errors[0] == "there is no such file"
    assert set(errors[1:]) <= ({"its partner gone.png: there is no such file"} if steps else set())
    figure = preview_figure(config, samples, "photos")
    shown = {text.get_text() for text in figure.findobj(Text)}
    assert {"file", "network's input", "gone.png"} <= shown
    assert ("epoch 3" in shown) == bool(steps)
    assert_all_inside(figure)

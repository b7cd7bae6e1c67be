"""Whole explanations: grey and colour, softmax and sigmoid, with and without convolutions, for many classes."""

from dataclasses import replace

import numpy as np
import pytest

from cnnctl.data.decoder.images import ImageSpec, opencv, read_image
from cnnctl.errors import RunError
from cnnctl.explaining.activation_maps import METHODS
from cnnctl.explaining.drawing import picture_pixels
from cnnctl.explaining.explain import ExplainRequest, classes_with_maps, explain
from cnnctl.explaining.sections import enlarged, make_sections, page
from cnnctl.inference.model import expand
from cnnctl.models.of_run import MOST_LAYERS, seen_layers
from tests.explaining.build import image, network
from tests.pictures.test_page import EVIL

PLAIN = ("conv2d: {filters: 70, kernel_size: 3, activation: relu}", "max_pooling2d: {pool_size: 2}", "flatten")
DEPTHWISE = (
    *("depthwise_conv2d: {kernel_size: 3, padding: same}", "l2_pooling2d: {pool_size: 2}"),
    *("batch_normalization", "activation: {activation: relu}", "global_average_pooling2d"),
)
POOLED = ("average_pooling2d: {pool_size: 2}", "flatten")
BARE = ("flatten", "dense: {units: 4, activation: relu}")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("classes", "output"), [(2, "softmax"), (2, "sigmoid"), (100, "softmax")])
@pytest.mark.parametrize("items", [PLAIN, DEPTHWISE, POOLED, BARE])
def test_any_network(items, classes, output, channels, tmp_path):
    shape = (10, 14, channels)
    made = network(*items, shape=shape, classes=classes, output=output)
    path = tmp_path / "a <b> name.png"
    path.write_bytes(opencv().imencode(".png", image((20, 31, 3)))[1].tobytes())
    pixels = read_image(path, ImageSpec(*shape))
    shipped = expand(np.asarray(made.model(pixels[None])))[0]
    for method in METHODS:
        found = explain(made, pixels, str(path), shipped, ExplainRequest(top=3, method=method))
        assert found.order[0] == int(shipped.argmax())
        assert [one.number for one in found.maps] == list(found.order[: min(3, classes)])
        sections = make_sections(found, made, "a run")
        files = [shown.file for section in sections for shown in section.pictures]
        expected = ["probabilities.png", f"{method}.png"]
        if items in (PLAIN, DEPTHWISE):
            expected += ["receptive-field.png", "kernels.png", f"maps-01-{items[0].partition(':')[0]}.png"]
            expected.append(f"maps-02-{items[1].partition(':')[0]}.png")
            assert found.unit is not None
        elif items is POOLED:
            expected.append("maps-01-average_pooling2d.png")
        assert files == expected
        captions = [shown.caption for section in sections for shown in section.pictures]
        assert all(caption.endswith(".") for caption in captions)
        titles = [shown.title for section in sections for shown in section.pictures]
        assert ("Gradient times input over the image" in titles) == (items in (POOLED, BARE))
        html = page(found, sections, made, "a run")
        assert "a &lt;b&gt; name.png" in html
        assert html.count("<img ") == len(files)


@pytest.mark.parametrize("answer", [(0.1, 0.1, 0.8), (np.nan, np.nan, np.nan)])
def test_models_that_differ_are_refused(answer):
    with pytest.raises(RunError, match="give different answers"):
        explain(network(*PLAIN), image(), "a.png", np.array(answer, np.float32), ExplainRequest())


@pytest.mark.parametrize("name", [EVIL, EVIL * 20, "\u202eturned", "\ud800", "bell\x07"])
def test_names_can_do_no_harm(name):
    made = replace(network(*PLAIN), classes=(name, name + "2", name + "3"))
    shipped = np.asarray(made.model(image()[None]))[0]
    found = explain(made, image(), f"{name}.png", shipped, ExplainRequest())
    html = page(found, make_sections(found, made, name), made, name)
    assert "<script" not in html
    assert "\u202e" not in html
    assert "\x07" not in html
    html.encode("utf-8")


def test_the_pictures_show_the_pixels_that_the_network_gets():
    pixels = image((6, 8, 1))
    shown = enlarged(pixels)
    assert max(shown.shape[:2]) == picture_pixels()
    assert (shown.shape[2], set(np.unique(shown))) == (3, set(np.unique(pixels)))
    large = enlarged(np.random.default_rng(0).integers(0, 256, (900, 30, 3)).astype(np.uint8))
    assert large.shape == (picture_pixels(), round(30 * picture_pixels() / 900), 3)


def test_of_very_many_layers_the_first_and_the_last_are_shown():
    conv = "conv2d: {filters: 1, kernel_size: 1}"
    made = network(f"repeat: {{times: {MOST_LAYERS + 7}, layers: [{conv}]}}", "global_average_pooling2d")
    rows = seen_layers(made.plan)
    assert len(rows) == MOST_LAYERS
    assert (rows[0].name, rows[-1].name) == ("conv2d", f"conv2d_{MOST_LAYERS + 6}")


def test_labels_that_an_image_gets_are_mapped_before_others() -> None:
    probabilities, thresholds = np.array([[0.6, 0.02, 0.9, 0.3, 0.3], [0.5, 0.01, 0.95, 0.3, 0.4]], np.float32)
    assert classes_with_maps(probabilities, 4) == [2, 0, 3, 4]
    assert classes_with_maps(probabilities, 4, thresholds) == [0, 3, 1, 2]
    assert classes_with_maps(probabilities, 9, thresholds) == [0, 3, 1, 2, 4]

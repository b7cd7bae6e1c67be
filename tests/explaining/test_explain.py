"""Whole explanations: grey and colour, softmax and sigmoid, with and without convolutions, for many classes."""

import numpy as np
import pytest

from cnnctl.data.images import ImageSpec, opencv
from cnnctl.errors import RunError
from cnnctl.explaining.activation_maps import METHODS
from cnnctl.explaining.explain import Wish, explain
from cnnctl.explaining.sections import make_sections, page
from cnnctl.inference.model import expand
from tests.explaining.build import image, network
from tests.pages.test_page import EVIL

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
    spec = ImageSpec(*shape)
    from cnnctl.data.images import read_image

    shipped = expand(np.asarray(made.model(read_image(path, spec)[None])))[0]
    for method in METHODS:
        found = explain(made, spec, str(path), shipped, Wish(top=3, method=method))
        assert found.order[0] == int(shipped.argmax())
        assert [one.number for one in found.maps] == list(found.order[: min(3, classes)])
        sections = make_sections(found, made, spec, "a run")
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
        assert all(caption.endswith((".", "; deeper layers see more of the image.")) for caption in captions)
        html = page(found, sections, made, "a run")
        assert "a &lt;b&gt; name.png" in html
        assert html.count("<img ") == len(files)


def test_models_that_differ_are_refused(tmp_path):
    made = network(*PLAIN)
    path = tmp_path / "a.png"
    path.write_bytes(opencv().imencode(".png", image())[1].tobytes())
    with pytest.raises(RunError, match="give different answers"):
        explain(made, ImageSpec(6, 8), str(path), np.array([0.1, 0.1, 0.8], np.float32), Wish())
    with pytest.raises(RunError, match="give different answers"):
        explain(made, ImageSpec(6, 8), str(path), np.full(3, np.nan, np.float32), Wish())


def test_class_names_are_escaped(tmp_path):
    made = network(*PLAIN)
    names = (EVIL, EVIL * 20, "\u202eturned")
    object.__setattr__(made, "classes", names)
    path = tmp_path / "a.png"
    path.write_bytes(opencv().imencode(".png", image())[1].tobytes())
    shipped = np.asarray(made.model(image()[None]))[0]
    found = explain(made, ImageSpec(6, 8), str(path), shipped, Wish())
    html = page(found, make_sections(found, made, ImageSpec(6, 8), EVIL), made, EVIL)
    assert "<script" not in html

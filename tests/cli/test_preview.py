"""`cnnctl preview`."""

import json
from pathlib import Path

from PIL import Image

from tests.cli.command import fail, succeed
from tests.conftest import CONFIGS


def test_a_picture_beside_the_config_that_is_named_after_it(tmp_path: Path) -> None:
    printed = succeed("preview", CONFIGS / "digits.yaml", "--images", "10", cwd=tmp_path, fresh=True)
    assert printed.endswith("\ndrawn into digits-preview.png\n")
    with Image.open(tmp_path / "digits-preview.png") as picture:
        assert picture.height > picture.width > 500
    words = ["preview", CONFIGS / "digits.yaml", "--images", "3", "--variations", "0", "--output", "a/b.png", "--json"]
    value = json.loads(succeed(*words, cwd=tmp_path))
    assert value["output"] == "a/b.png"
    assert [(one["label"], one["size"], one["kept"]) for one in value["images"]] == [
        (name, [8, 8], 1.0) for name in "012"
    ]
    assert (tmp_path / "a" / "b.png").is_file()


def test_mistakes(tmp_path: Path) -> None:
    assert "use the ending .png" in fail(2, "preview", CONFIGS / "digits.yaml", "--output", "x.jpg", cwd=tmp_path)
    said = fail(3, "preview", CONFIGS / "cifar10.yaml", "--set", "data.train=gone", cwd=tmp_path)
    assert said.startswith("error: there is no folder ")
    (tmp_path / "taken.png").mkdir()
    said = fail(5, "preview", CONFIGS / "digits.yaml", "--images", "1", "--output", "taken.png", cwd=tmp_path)
    assert said.endswith("hint: choose another file with --output PNG\n")

"""`cnnctl convolve`: the numbers to the letter, the drawing, and what gets refused."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnctl.convolve.kernels import KERNELS
from cnnctl.terminal.arithmetic import grid
from tests.cli.command import fail, succeed
from tests.convolve.test_convolution import THREE, THREE_KERNELS
from tests.images import picture

MATRIX, KERNEL = "[[0,1,2],[3,4,5],[6,7,8]]", "[[0,1],[2,3]]"
SIZES = ["--kernel", "[[1]]", "--kernel", "[[1,1],[1,1]]"]
TEXT = """\
matrix: 3x3x1 (grey)
kernel own 2x2x1, strides 1, padding valid, bias 0

picture, 3x3
  0 1 2
  3 4 5
  6 7 8

feature map, row 0, column 1: rows 0 to 1 and columns 1 to 2 of the picture
  patch     kernel     products
    1 2  *     0 1  =      0  2
    4 5        2 3         8 15
  0 + 2 + 8 + 15 = 25

  25 + bias 0 = 25
  relu(25) = 25

feature map, 2x2: height floor((3 - 2 + 0) / 1) + 1 = 2, width floor((3 - 2 + 0) / 1) + 1 = 2
  19 25
  37 43

after relu, 2x2
  19 25
  37 43

after 2x2 max pooling, strides 2, 1x1
  43
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cat.png` of 37x50 in colour."""
    made = tmp_path_factory.mktemp("convolve")
    picture().save(made / "cat.png")
    return made


def test_the_numbers_to_the_letter(tmp_path: Path) -> None:
    assert succeed("convolve", MATRIX, "--kernel", KERNEL, "--numbers", "--at", "0,1", cwd=tmp_path) == TEXT
    assert list(tmp_path.iterdir()) == []


def test_a_colour_picture_channel_by_channel(tmp_path: Path) -> None:
    arguments = ["convolve", json.dumps(THREE), "--kernel", json.dumps(THREE_KERNELS), "--bias", "1", "--numbers"]
    printed = succeed(*arguments, "--padding", "same", cwd=tmp_path)
    assert "  (0) 156  155   *   0  1 -1  =  0 156 -155\n" in printed
    assert "  0 + 0 + 0 + 0 + 156 - 155 + 0 + 153 + 154 = 308\n" in printed
    assert "\n  308 - 498 + 164 + bias 1 = -25\n  relu(-25) = 0\n" in printed
    told = json.loads(succeed(*arguments, "--padding", "same", "--json", cwd=tmp_path))
    assert told["channel_sums"] == [308, -498, 164]
    assert (told["sum"], told["feature_map"][0][0], told["activated"][0][0]) == (-25, -25, 0)
    assert told["patch"][0] == [[0, 0, 0], [0, 156, 155], [0, 153, 154]]
    assert told["kernel_values"] == THREE_KERNELS
    assert np.sum(told["products"], axis=(1, 2)).tolist() == told["channel_sums"]


def test_raw_pixels_of_a_crop(folder: Path) -> None:
    told = json.loads(
        succeed("convolve", "cat.png", "--crop", "4,6,5,5", "--at", "1,2", "--numbers", "--json", cwd=folder)
    )
    pixels = np.asarray(picture()).astype(int)[4:9, 6:11]
    assert told["patch"] == np.moveaxis(pixels[1:4, 2:5], 2, 0).tolist()
    assert told["sum"] == told["feature_map"][1][2] == int((9 * pixels[2, 3] - pixels[1:4, 2:5].sum((0, 1))).sum())


def test_a_large_picture_is_explained_but_not_printed(folder: Path) -> None:
    printed = succeed("convolve", "cat.png", "--grey", "--numbers", "--at", "34,47", cwd=folder)
    assert printed.count("not printed above 16x16") == 4
    assert "rows 34 to 36 and columns 47 to 49" in printed
    assert max(map(len, printed.splitlines())) < 120


def test_the_demonstration_in_one_picture(folder: Path, tmp_path: Path) -> None:
    printed = succeed("convolve", folder / "cat.png", "--grey", cwd=tmp_path)
    assert printed.startswith("cat.png: 37x50x1 (grey)\n")
    shapes = [line.split()[-3] for line in printed.splitlines()[5:9]]
    assert shapes == ["37x50x1", "37x50", "37x50", "18x25"]
    assert printed.endswith("\ndrawn into cat-edge.png\n")
    with Image.open(tmp_path / "cat-edge.png") as drawn:
        assert drawn.format == "PNG"
        pixels = np.asarray(drawn.convert("RGB")).astype(int)
    assert pixels.shape[1] > 3 * pixels.shape[0]
    frames = (pixels[pixels.shape[0] // 2 - 40 : pixels.shape[0] // 2 + 40].sum(axis=2) == 0).all(axis=0)
    edges = np.flatnonzero(frames)
    assert len(edges[np.insert(np.diff(edges) > 20, 0, True)]) >= 5  # frames of five panels, left and right
    signed = np.abs(pixels[:, :, 0] - pixels[:, :, 2]) > 60
    assert signed[:, pixels.shape[1] * 2 // 5 : pixels.shape[1] * 3 // 5].any()  # the feature map, red and blue
    assert not signed[:, pixels.shape[1] * 3 // 5 + 20 :].any()


@pytest.mark.parametrize(
    "more",
    [
        ["--kernel", "blur", "--kernel", "edge", "--kernel", json.dumps(THREE_KERNELS), "--activation", "softmax"],
        ["--kernel", "blur", "--pool", "average:3:2", "--size", "40x60", "--strides", "2,1"],
        ["--kernel", json.dumps(THREE_KERNELS), "--crop", "0,0,6,6", "--activation", "tanh", "--pool", "none"],
        ["--kernel", "identity", "--pool", "l2:2", "--padding", "[[0,1],[2,0]]", "--bias", "-900"],
        ["--kernel", "sobel-y", "--grey", "--numbers"],
    ],
    ids=lambda words: words[1][:9],
)
def test_drawings_of_every_kind(more: list[str], folder: Path, tmp_path: Path) -> None:
    succeed("convolve", folder / "cat.png", *more, "--output", "new/out.png", cwd=tmp_path)
    with Image.open(tmp_path / "new" / "out.png") as drawn:
        assert drawn.width > drawn.height > 200


def test_several_kernels_and_softmax_over_them(tmp_path: Path) -> None:
    kernels = ["--kernel", KERNEL, "--kernel", "[[1,0],[5,1]]", "--activation", "softmax", "--bias", "1", "--numbers"]
    printed = succeed("convolve", MATRIX, *kernels, "--at", "0,1", cwd=tmp_path)
    assert "\nkernel own 1: feature map, row 0, column 1: rows 0 to 1" in printed
    assert "\n  25 + bias 1 = 26\n" in printed
    assert "\n  1 + 0 + 20 + 5 = 26\n\n  26 + bias 1 = 27\n" in printed
    rows = [line.split() for line in printed.partition("softmax over the kernels")[2].splitlines()[3:6]]
    assert rows == [
        ["own", "1", "26", "0.3679", "0.2689"],
        ["own", "2", "27", "1", "0.7311"],
        ["sum", "1.3679", "1"],
    ]
    told = json.loads(succeed("convolve", MATRIX, *kernels, "--json", cwd=tmp_path))
    assert "kernel" not in told
    assert [one["kernel"] for one in told["kernels"]] == ["own 1", "own 2"]
    assert told["kernels"][0]["feature_map"] == [[20, 26], [38, 44]]
    shares = np.array([one["activated"] for one in told["kernels"]])
    assert shares.sum(axis=0) == pytest.approx(np.ones((2, 2)))
    assert shares[0, 0, 1] == pytest.approx(1 / (1 + np.e))
    assert np.shape(told["kernels"][1]["pooled"]) == (1, 1)


def test_the_maps_of_several_kernels_are_drawn_in_rows(folder: Path, tmp_path: Path) -> None:
    sobels = ["--kernel", "sobel-x", "--kernel", "sobel-y"]
    printed = succeed("convolve", folder / "cat.png", "--grey", "--kernel", "sobel-x", cwd=tmp_path)
    printed = succeed("convolve", folder / "cat.png", "--grey", *sobels, cwd=tmp_path)
    assert printed.endswith("\ndrawn into cat-sobel-x-sobel-y.png\n")
    with Image.open(tmp_path / "cat-sobel-x.png") as one, Image.open(tmp_path / "cat-sobel-x-sobel-y.png") as two:
        assert one.width == two.width
        assert two.height > 1.6 * one.height
    succeed("convolve", folder / "cat.png", *sobels, *sobels, cwd=tmp_path)
    assert (tmp_path / "cat-4-kernels.png").is_file()


@pytest.mark.parametrize(
    ("more", "value"), [([], "0.2 * -21 = -4.2"), (["--negative-slope", "0.3"], "0.3 * -21 = -6.3")]
)
def test_the_slope_of_leaky_relu(more: list[str], value: str, tmp_path: Path) -> None:
    words = ["convolve", MATRIX, "--kernel", "[[0,1],[-2,-3]]", "--activation", "leaky_relu", *more, "--numbers"]
    assert f"  leaky_relu(-21) = {value}\n" in succeed(*words, "--at", "0,1", cwd=tmp_path)
    told = json.loads(succeed(*words, "--json", cwd=tmp_path))
    assert told["negative_slope"] == float(value.split()[0])
    assert told["activated"][0][1] == pytest.approx(float(value.split()[-1]))


def test_a_photo_keeps_its_ratio(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (403, 901, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    printed = succeed("convolve", "large.png", cwd=tmp_path)
    first = "large.png: 134x300x3 (red, green and blue), of an image of 403x901: each pixel is the mean of 3x3\n"
    assert printed.startswith(first)
    printed = succeed("convolve", "large.png", "--size", "300", cwd=tmp_path)
    assert "300x300x3 (red, green and blue), of an image of 403x901: stretched\n" in printed
    printed = succeed("convolve", "large.png", "--crop", "380,880,20,20", cwd=tmp_path)
    assert "20x20x3 (red, green and blue), of an image of 403x901: cropped\n" in printed
    printed = succeed("convolve", "large.png", "--numbers", cwd=tmp_path)
    assert printed.startswith("large.png: 403x901x3 (red, green and blue)\n")


def test_at_80_columns_numbers_stay_whole(folder: Path) -> None:
    blur = f"[[{','.join(['1/7'] * 5)}],[{','.join(['1/7'] * 5)}]]"
    words = ["convolve", "cat.png", "--crop", "0,0,16,16", "--grey", "--kernel", blur, "--numbers", "--pool", "none"]
    lines = on_a_terminal(words, folder)
    assert max(map(len, lines)) <= 80
    whole = succeed(*words, cwd=folder).split()
    ours = [word for word in " ".join(lines).split() if "." in word]
    assert sorted(ours) == sorted(word for word in whole if "." in word)
    assert any(line.startswith("  columns 0 to ") for line in lines)


def test_at_60_columns_the_first_lines_break_between_words(tmp_path: Path) -> None:
    picture(640, 480).save(tmp_path / "cat.png")
    lines = on_a_terminal(["convolve", "cat.png", "--kernel", "edge", "--kernel", "blur"], tmp_path, 60)
    assert lines[: lines.index("")] == [
        "cat.png: 320x240x3 (red, green and blue), of an image of",
        "  640x480: each pixel is the mean of 2x2",
        "kernel edge 3x3x3, strides 1, padding same, bias 0",
        "kernel blur 3x3x3, strides 1, padding same, bias 0",
    ]
    assert max(map(len, lines)) <= 60


def on_a_terminal(words: list[str], folder: Path, columns: int = 80) -> list[str]:
    """What a command prints on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cnnctl", *words]
    environment = {**os.environ, "COLUMNS": str(columns)}
    with subprocess.Popen(command, cwd=folder, stdout=theirs, stderr=subprocess.PIPE, env=environment) as process:
        os.close(theirs)
        content = b""
        with contextlib.suppress(OSError):  # which is how a terminal ends
            while piece := os.read(ours, 65536):
                content += piece
    os.close(ours)
    assert process.returncode == 0
    return content.decode().splitlines()


def test_what_does_not_fit_by_itself_is_left_out_and_said(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "cnnctl", "convolve", "[[1,2],[3,4]]", "--kernel", KERNEL, "--numbers"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert process.stderr == "warning: no pooling: a pooling window of 2x2 does not fit the map of 1x1\n"
    assert "pooling" not in process.stdout


def test_the_kernels_are_listed(tmp_path: Path) -> None:
    printed = succeed("convolve", "--list-kernels", cwd=tmp_path)
    shown = succeed("convolve", "--help", cwd=tmp_path)
    assert "[[1,1],[0,2]]" in shown  # which rich might take for markup
    for name, kernel in KERNELS.items():
        assert f"{name}: {kernel.meaning}\n" in printed
        assert name in shown
    assert "\n  -1 -1 -1\n  -1  8 -1\n  -1 -1 -1\n" in printed


def test_numbers_as_a_person_writes_them() -> None:
    assert grid([[1.0, -0.5], [1 / 9, 1e-7]]) == ["     1  -0.5", "0.1111 1e-07"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["cat.png", "--kernel", "egde"], 2, "did you mean edge?"),
        (["cat.png", "--kernel", "[[1,2],[3]]"], 2, "rows differ in length: 2, 1"),
        (["cat.png", "--strides", "0"], 2, "--strides is a whole number from 1"),
        (["cat.png", "--padding", "full"], 2, "there is no padding full"),
        (["cat.png", "--padding", "[[1,1][1,1]]"], 2, "there is no padding"),
        (["cat.png", "--padding", "9999", "--strides", "999"], 2, "makes the picture too large"),
        (["cat.png", "--activation", "softplus"], 2, "activations are relu"),
        (["cat.png", "--negative-slope", "0.1"], 2, "--negative-slope is for leaky_relu, not for relu"),
        (["cat.png", "--activation", "leaky_relu", "--negative-slope", "-1"], 2, "a number from 0 to"),
        (["cat.png", "--activation", "leaky_relu", "--negative-slope", "nan"], 2, "a number from 0 to"),
        (["cat.png", *["--kernel", "edge"] * 17], 2, "convolve takes up to 16 kernels"),
        (["[[1,2],[3,4]]", *SIZES, "--activation", "softmax", "--numbers"], 2, "maps differ in size: 2x2, 1x1"),
        (["cat.png", "--pool", "min:2"], 2, "there is no pooling min:2"),
        (["cat.png", "--pool", "max:999"], 2, "does not fit the map of 37x50"),
        (["cat.png", "--size", "0"], 2, "--size is a side in pixels"),
        (["cat.png", "--size", "9000"], 2, "from 1 to 2,048"),
        (["cat.png", "--bias", "nan"], 2, "--bias is a number"),
        (["cat.png", "--crop", "1,2,3"], 2, "--crop is ROW,COLUMN,HEIGHT,WIDTH"),
        (["cat.png", "--crop", "27,0,11,4"], 2, "not inside the picture of 37x50"),
        (["cat.png", "--size", "300", "--crop", "290,0,11,4"], 2, "not inside the picture of 300x300"),
        (["cat.png", "--at", "0,0"], 2, "add --numbers"),
        (["cat.png", "--numbers", "--at", "35,0"], 2, "rows go from 0 to 34, columns from 0 to 47"),
        (["cat.png", "--output", "out.jpg"], 2, "the picture is a PNG file"),
        (["cat.png", "--output", "cat.png"], 2, "would overwrite cat.png"),
        (["[[1]]", "--padding", "valid"], 2, "floor((1 - 3 + 0) / 1) + 1 = -1"),
        (["[[1]]", "--size", "3"], 2, "a matrix keeps its own size"),
        (["[[1,2],[3]]"], 3, "rows differ in length"),
        (["none.png"], 3, "none.png: there is no such file"),
        (["."], 3, "it is a folder"),
        (["text.png"], 3, "text.png: "),
        (["cat.png", "--output", "folder.png"], 5, "choose another file with --output PNG"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_mistakes(arguments: list[str], code: int, said: str, folder: Path) -> None:
    (folder / "text.png").write_text("no image")
    (folder / "folder.png").mkdir(exist_ok=True)
    before = (folder / "cat.png").read_bytes()
    printed = fail(code, "convolve", *arguments, cwd=folder)
    assert said in printed
    assert printed.startswith("error: ")
    assert "hint: " in printed or code == 3
    assert (folder / "cat.png").read_bytes() == before


@pytest.mark.parametrize("draws", [True, False])
def test_it_imports_neither_keras_nor_what_it_does_not_need(draws: bool, folder: Path) -> None:
    program = (
        "import json, sys\nfrom cnnctl.cli.app import run\nsys.argv[0] = 'cnnctl'\n"
        "code = run()\nprint(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, "convolve", "cat.png", *([] if draws else ["--numbers"])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    slow = {"keras", "tensorflow", "jax", "torch", "sklearn", "scipy", "pandas", "onnx", "onnxruntime", "pydantic"}
    found = {name.partition(".")[0] for name in modules}
    assert found & slow <= {"pydantic"}  # newer Typers convert arguments by it
    assert ("matplotlib" in found) is draws

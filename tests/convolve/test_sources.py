"""Pictures and kernels from files and from the command line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnctl.convolve.matrix import parse_matrix
from cnnctl.convolve.sources import is_matrix, read_kernel, read_picture
from cnnctl.errors import DataError, UsageError
from tests.images import encode, picture


@pytest.mark.parametrize(
    "text",
    [
        "[[0, 1], [2, -0.5]]",
        " [[0,+1],[2.,-.5]] ",
        "[[0, 2/2], [1e0/.5, -1/2]]",
        "0,1\n2,-0.5\n",
        "0;1\r\n2;-0.5\r\n",
        "0 1\n 2\t-.5",
        "\n# a kernel\n0, 1,\n2, -1/2, # its last row\n\n",
        "0,0;1,0\n2,0;-0,5\n",
        "0;1\n2;-,5\n",
        "0,0\t1\n2,0\t-0,5",
        "0,0 1,0\n2,0 -5,0e-1",
        "0; 1 ;\n2; -1,0/2 ;",
        "0, 1;\n2, -0.5;\n",
    ],
)
def test_the_ways_to_write_a_matrix(text):
    assert parse_matrix(text)[:, :, 0].tolist() == [[0, 1], [2, -0.5]]


@pytest.mark.parametrize("text", ["[[[1, 2]], [[3, 4]], [[5, 6]]]", "1,2\n\n3,4\n\n\n5,6"])
def test_a_matrix_for_each_channel(text):
    assert parse_matrix(text).tolist() == [[[1, 3, 5], [2, 4, 6]]]


WRONG = [
    ("[[1, 2], [3]]", "rows differ in length: 2, 1"),
    ("1,2\n3", "rows differ in length: 2, 1"),
    ("[1, 2]", "expected rows of numbers"),
    ("[]", "expected rows of numbers"),
    ("[[]]", "expected rows of numbers"),
    ("[[1], 2]", "expected rows of numbers"),
    ("[[[[1]]]]", "one for each channel"),
    ("[[1, [2]]]", "expected numbers in every row"),
    ("[[...]]", "expected numbers in every row"),
    ("[[[1]], [[1, 2]]]", "differ in size: 1x1, 1x2"),
    ("[[0 1], [2 3]]", "do not match"),
    ("[[1, 2", "do not match"),
    ("[[010]]", "do not match"),
    ("[[1[2]]]", "do not match"),
    ("[[__import__('os')]]", "received: _"),
    ("[[1/0]]", "1/0 is not a number"),
    ("[[1e999]]", "expected numbers from"),
    (f"[[{'9' * 400}]]", "expected numbers from"),
    (f"[[{'9' * 5000}]]", ""),
    ("[" * 5000, ""),
    ("1,nan", "line 1: expected a number, received: nan"),
    ("1,2\n3,,4", "line 2: expected a number, received: nothing"),
    ("0.5;1,5", "line 1: expected a decimal comma as in the other numbers, received: 0.5"),
    ("1.000,5;2", "line 1: expected a decimal comma as in the other numbers, received: 1.000,5"),
    ("1;2\n3,4,5;6", "line 2: expected a number between the separators, received: 3,4,5"),
    ("1, 2; 3, 4", "line 1: expected a number between the separators, received: 1, 2"),
    ("0,5;;1,5", "line 1: expected a number, received: nothing"),
    ("", "no numbers"),
    ("# nothing", "no numbers"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=lambda text: text[:12])
def test_what_is_no_matrix_is_a_usage_error_of_a_kernel(text, said, tmp_path):
    file = tmp_path / "k.txt"
    file.write_text(text)
    for source in (str(file), *([text] if text.startswith("[") else [])):
        with pytest.raises(UsageError) as caught:
            read_kernel(source)
        assert said in caught.value.message
        assert "[[0, 1], [2, 3]]" in (caught.value.hint or "")
    with pytest.raises(DataError) as caught:
        read_picture(str(file), None, False)
    assert said in caught.value.message


def test_kernels_by_name_and_from_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_kernel("Sobel_X").name == "sobel-x"
    Path("mine.csv").write_text("1,2\n3,4")
    kernel = read_kernel("mine.csv")
    assert kernel.name == "mine"
    assert kernel.over(3)[1].tolist() == [[3, 3, 3], [4, 4, 4]]
    assert read_kernel("[[1]]").name == "own"
    with pytest.raises(UsageError, match="no kernel and no file called shapren") as caught:
        read_kernel("shapren")
    assert caught.value.hint == "did you mean sharpen?"
    with pytest.raises(UsageError) as caught:
        read_kernel("x" * 300)
    assert "edge, sharpen" in (caught.value.hint or "")
    Path("photo.png").write_bytes(encode(picture(), "PNG"))
    for source, said in (("photo.png", "it is not a text file"), (".", "Is a directory")):
        with pytest.raises(UsageError, match=said):
            read_kernel(source)
    with pytest.raises(UsageError, match="3 matrices, one for each channel, and the picture has 1 channel"):
        read_kernel("[[[1]],[[2]],[[3]]]").over(1)


def test_an_image_in_its_own_size_and_in_another(tmp_path):
    path = tmp_path / "p.png"
    picture().save(path)
    found = read_picture(str(path), None, False)
    assert np.array_equal(found.pixels, np.asarray(picture()))
    assert (found.name, found.own_size, found.is_image) == ("p.png", (37, 50), True)
    assert read_picture(str(path), (20, 30), False).pixels.shape == (20, 30, 3)
    grey = read_picture(str(path), None, True).pixels
    assert grey.shape == (37, 50, 1)
    assert np.abs(grey[:, :, 0] - np.asarray(picture().convert("L"))).max() <= 1


def test_a_large_image_is_divided_by_a_whole_number(tmp_path):
    path = tmp_path / "p.png"
    picture().save(path)
    whole = np.asarray(picture()).astype(float)
    found = read_picture(str(path), None, False, 20)
    assert (found.pixels.shape, found.own_size) == ((12, 16, 3), (37, 50))
    expected = whole[:36, :48].reshape(12, 3, 16, 3, 3).mean(axis=(1, 3))
    assert np.abs(found.pixels - expected).max() <= 0.5
    assert found.change == "each pixel is the mean of 3x3"
    kept = read_picture(str(path), None, False, 50)
    assert (kept.pixels.shape, kept.change) == ((37, 50, 3), "")
    assert read_picture(str(path), (20, 30), False, 20).change == "stretched"
    thin = tmp_path / "thin.png"
    thin.write_bytes(encode(Image.new("L", (900, 1)), "PNG"))
    assert read_picture(str(thin), None, False, 400).pixels.shape == (1, 900, 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_a_grey_file_has_one_channel(kind, tmp_path):
    grey = tmp_path / "grey"
    grey.write_bytes(encode(picture().convert("L"), kind))
    assert read_picture(str(grey), None, False).pixels.shape == (37, 50, 1)
    alike = tmp_path / "alike"
    alike.write_bytes(encode(Image.new("RGB", (5, 4), (9, 9, 9)), kind))
    assert read_picture(str(alike), None, False).pixels.shape == (4, 5, 3)


def test_what_is_no_picture(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    (tmp_path / "two.txt").write_text("1\n\n2")
    for name, said in (("bad.png", "bad.png: "), ("none.jpg", "no such file"), ("none.csv", "no such file")):
        with pytest.raises(DataError, match=said):
            read_picture(str(tmp_path / name), None, False)
    with pytest.raises(DataError, match=r"one matrix \(grey\) or three"):
        read_picture(str(tmp_path / "two.txt"), None, False)
    with pytest.raises(UsageError, match="keeps its own size"):
        read_picture("[[1]]", (3, 3), False)
    with pytest.raises(UsageError, match="three channels"):
        read_picture("[[[1]],[[1]],[[1]]]", None, True)


def test_a_file_whose_name_looks_like_a_matrix(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture().save("[1].png")
    assert not is_matrix("[1].png")
    assert is_matrix("[[1]]")
    assert read_picture("[1].png", None, False).pixels.shape == (37, 50, 3)


def test_a_heic_photo(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(encode(picture(), "HEIF", quality=95))
    found = read_picture(str(tmp_path / "photo.heic"), None, grey=False)
    assert np.abs(found.pixels - np.asarray(picture())).mean() < 8

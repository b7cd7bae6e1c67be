"""What `predict` is given, written out as files."""

import io
from pathlib import Path

import pytest

from cnnctl.data.table import Columns
from cnnctl.errors import EXIT_DATA, DataError, UsageError
from cnnctl.inference.inputs import expand_inputs
from tests.inference.build import paint


def expanded(*inputs, columns=None):
    return list(expand_inputs([str(one) for one in inputs], lambda: columns or Columns()))


def piped(monkeypatch, content):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))


def test_files_folders_and_lists_in_their_order(tmp_path, monkeypatch):
    deep = paint(tmp_path / "folder" / "deep" / "b.png", 1, 1, 1)
    flat = paint(tmp_path / "folder" / "a.png", 1, 1, 1)
    (tmp_path / "folder" / ".hidden.png").write_bytes(b"")
    (tmp_path / "folder" / "notes.txt").write_text("no image")
    table = tmp_path / "list.csv"
    table.write_text("label,path\nx,folder/a.png\ny,gone.png\n")
    piped(monkeypatch, b"one.jpg\r\n\n with a blank .png\n")
    got = expanded("single.jpg", tmp_path / "folder", table, "-")
    listed = [str(tmp_path / "folder" / "a.png"), str(tmp_path / "gone.png")]
    assert got == ["single.jpg", flat, deep, *listed, "one.jpg", " with a blank .png"]


def test_names_of_any_bytes_come_through_stdin(monkeypatch):
    piped(monkeypatch, b"\xef\xbb\xbfcaf\xe9.png\nBMW.jpg\n")
    assert expanded("-") == ["caf\udce9.png", "BMW.jpg"]
    piped(monkeypatch, "é.png\r\nb.png\r\n".encode("utf-16"))
    assert expanded("-") == ["é.png", "b.png"]


def test_find_print0(monkeypatch):
    names = [f"two\nlines {number}" for number in range(20_000)]
    piped(monkeypatch, "".join(f"{name}\0" for name in names).encode())
    assert list(expand_inputs(["-"], Columns, null=True)) == names
    piped(monkeypatch, b"a\0b")
    (only,) = expanded("-")
    assert (only, only.reason) == ("a\0b", "there is a NUL in this name; -0 takes what `find -print0` writes")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
def test_an_image_on_stdin_is_one_input_with_its_reason(suffix, tmp_path, monkeypatch):
    content = Path(paint(tmp_path / f"a{suffix}", 1, 2, 3)).read_bytes()
    for null in (False, True):
        piped(monkeypatch, content)
        good, bad = expand_inputs(["good.png", "-"], Columns, null=null)
        assert (good, bad) == ("good.png", "-")
        assert bad.reason.startswith("stdin is an image")


def test_stdin_that_is_closed(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match="stdin is closed"):
        expanded("-")


def test_columns_are_asked_for_only_where_there_is_a_csv(tmp_path):
    def columns():
        raise AssertionError("asked")

    assert list(expand_inputs(["a.png"], columns)) == ["a.png"]
    table = tmp_path / "list.csv"
    table.write_text("file,label\na.png,x\n")
    assert expanded(table, columns=Columns(path="file")) == [str(tmp_path / "a.png")]
    with pytest.raises(DataError, match="has no column path"):
        expanded(table)


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no image was found in ") as caught:
        expanded(tmp_path)
    assert caught.value.exit_code == EXIT_DATA


def test_what_is_left_out_and_what_is_not_there_is_told(tmp_path):
    store = paint(tmp_path / "store" / "b.png", 1, 1, 1)
    image = paint(tmp_path / "folder" / "a.png", 1, 1, 1)
    link = tmp_path / "folder" / "link.png"
    link.symlink_to(store)
    paint(tmp_path / "folder" / "@eaDir" / "a.png", 1, 1, 1)
    table = tmp_path / "list.csv"
    table.write_text("path\nfolder\\a.png\nfolder\\link.png\n")
    told = []
    names = Columns(are_in_config=False)
    assert list(expand_inputs([str(tmp_path / "folder")], lambda: names, told.append)) == [image, str(link)]
    assert told.pop() == f"{tmp_path / 'folder'}: left out: 1 hidden or system file"
    assert len(list(expand_inputs([str(table)], lambda: names, told.append))) == 2
    assert told == [
        f"{table}: 2 of 2 images are not there; the file names have backslashes, as on Windows: "
        "write folder/a.png instead of folder\\a.png"
    ]


def test_a_folder_of_system_files_alone_says_so(tmp_path):
    paint(tmp_path / "@eaDir" / "a.png", 1, 1, 1)
    with pytest.raises(DataError, match="no image was found") as caught:
        expanded(tmp_path)
    assert caught.value.hint == "left out: 1 hidden or system file"

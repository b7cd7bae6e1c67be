"""What `predict` is given, written out as files."""

import io

import pytest

from cnnctl.data.table import Columns
from cnnctl.errors import EXIT_DATA, DataError
from cnnctl.inference.inputs import expand_inputs
from tests.inference.build import paint


def expanded(*inputs, columns=None):
    return list(expand_inputs([str(one) for one in inputs], lambda: columns or Columns()))


def test_files_folders_and_lists_in_their_order(tmp_path, monkeypatch):
    deep = paint(tmp_path / "folder" / "deep" / "b.png", 1, 1, 1)
    flat = paint(tmp_path / "folder" / "a.png", 1, 1, 1)
    (tmp_path / "folder" / ".hidden.png").write_bytes(b"")
    (tmp_path / "folder" / "notes.txt").write_text("no image")
    table = tmp_path / "list.csv"
    table.write_text("label,path\nx,folder/a.png\ny,gone.png\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("one.jpg\r\n\n with a blank .png\n"))
    got = expanded("single.jpg", tmp_path / "folder", table, "-")
    listed = [str(tmp_path / "folder" / "a.png"), str(tmp_path / "gone.png")]
    assert got == ["single.jpg", flat, deep, *listed, "one.jpg", " with a blank .png"]


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

"""Nothing is overwritten, and nothing is left half done."""

import errno
import json
import os
from pathlib import Path

import pytest

from cnnctl.errors import DiskError, MachineError, UsageError
from cnnctl.exporting import place
from cnnctl.exporting.formats import LITERT, ONNX, SAVEDMODEL
from cnnctl.exporting.place import default_path, publish, refuse_unfit, size_of, staged


@pytest.mark.parametrize(
    ("form", "quantization", "name"),
    [
        (ONNX, None, "digits-3.onnx"),
        (LITERT, "int8", "digits-3-int8.tflite"),
        (SAVEDMODEL, None, "digits-3-savedmodel"),
    ],
)
def test_files_are_named_after_the_run(form, quantization, name):
    assert default_path("digits 3", form, quantization) == Path(name)


@pytest.mark.parametrize("there", ["it.onnx", "it.onnx.json"])
def test_nothing_is_overwritten(there, tmp_path):
    (tmp_path / there).write_text("mine")
    with pytest.raises(UsageError, match=rf"{there} already exists"):
        refuse_unfit(tmp_path / "it.onnx", ONNX)


def test_a_link_to_nowhere_is_something(tmp_path):
    (tmp_path / "it.onnx").symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match="already exists"):
        refuse_unfit(tmp_path / "it.onnx", ONNX)


@pytest.mark.parametrize(
    ("name", "form", "hint"),
    [
        ("it.tflite", ONNX, "--format litert makes such a file"),
        ("it.onnx", LITERT, "--format onnx makes such a file"),
        ("it", LITERT, "--output it.tflite"),
    ],
)
def test_names_end_as_the_format_does(name, form, hint, tmp_path):
    with pytest.raises(UsageError) as caught:
        refuse_unfit(tmp_path / name, form)
    assert caught.value.hint == hint


def test_paths_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file, not a folder"):
        refuse_unfit(tmp_path / "file" / "it.onnx", ONNX)
    with pytest.raises(MachineError, match="File name too long"):
        refuse_unfit(tmp_path / ("x" * 300 + ".onnx"), ONNX)
    for nameless in (Path(), Path("..")):
        with pytest.raises(UsageError, match="names no file"):
            refuse_unfit(nameless, SAVEDMODEL)
    refuse_unfit(tmp_path / "new" / "folder" / "it.onnx", ONNX)


def test_what_is_staged_comes_whole(tmp_path):
    path = tmp_path / "new" / "it-savedmodel"
    with staged(path) as made:
        (made / "variables").mkdir(parents=True)
        (made / "variables" / "some").write_bytes(b"12345")
        (made / "saved_model.pb").write_bytes(b"123")
        assert not path.exists()
        assert size_of(made) == 8
        publish(made, path, {"file": "it"})
    assert sorted(os.listdir(tmp_path / "new")) == ["it-savedmodel", "it-savedmodel.json"]
    assert (path / "variables" / "some").read_bytes() == b"12345"
    assert json.loads((tmp_path / "new" / "it-savedmodel.json").read_text()) == {"file": "it"}


@pytest.mark.parametrize("umask", [0o002, 0o077])
def test_folders_obey_the_umask(umask, tmp_path):
    before = os.umask(umask)
    try:
        with staged(tmp_path / "it") as made:
            (made / "variables").mkdir(parents=True)
            for folder in (made, made / "variables"):
                folder.chmod(0o755)  # as TensorFlow's are
            publish(made, tmp_path / "it", {"file": "it"})
    finally:
        os.umask(before)
    for folder in (tmp_path / "it", tmp_path / "it" / "variables"):
        assert folder.stat().st_mode & 0o777 == 0o777 & ~umask
    assert sorted(os.listdir(tmp_path)) == ["it", "it.json"]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        make(tmp_path / "it.onnx", lambda made: 1 / 0)
    assert os.listdir(tmp_path) == []


def make(path, then):
    """Stage a file and do something with it."""
    with staged(path) as made:
        made.write_bytes(b"1")
        then(made)


@pytest.mark.parametrize(("call", "times"), [("fsync", 0), ("fsync", 1), ("rename", 0)])
def test_a_full_disk_leaves_nothing(call, times, tmp_path, monkeypatch):
    """Whichever of the calls that bring it to the disk fails."""
    path = tmp_path / "it.onnx"
    owner = os if call == "fsync" else Path
    honest = getattr(owner, call)
    calls = []

    def full(*args):
        calls.append(args)
        if len(calls) > times:
            raise OSError(errno.ENOSPC, "No space left on device")
        return honest(*args)

    monkeypatch.setattr(owner, call, full)
    with pytest.raises(DiskError, match="No space left on device") as caught:
        make(path, lambda made: publish(made, path, {}))
    assert caught.value.hint == "free some space, or choose another place with --output PATH"
    assert len(calls) == times + 1
    assert os.listdir(tmp_path) == []


def test_a_folder_that_may_not_be_written_into(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(place.files, "aside_folder", refuse)
    with pytest.raises(DiskError, match=r"it\.onnx cannot be written: Permission denied"), staged(tmp_path / "it.onnx"):
        raise AssertionError

"""Whether there is a GPU is told only where it is sure."""

from pathlib import Path

import pytest

from cnnctl.system import backends


@pytest.mark.parametrize(
    ("device", "visible", "has_tool", "is_sure"),
    [
        (None, None, False, True),
        (None, None, True, False),
        ("nvidia0", None, False, False),
        ("dxg", None, False, False),
        ("kfd", "", False, False),
        ("nvidia0", "0", True, False),
        ("nvidia0", "", True, True),
        ("nvidia0", "-1", True, True),
    ],
)
def test_there_is_no_gpu(
    device: str | None,
    visible: str | None,
    has_tool: bool,
    is_sure: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("shutil.which", lambda name: name if has_tool else None)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    if device is not None:
        (tmp_path / device).touch()
    assert (backends.why_there_is_no_gpu(tmp_path) is not None) == is_sure

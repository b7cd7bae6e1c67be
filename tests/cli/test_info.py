"""What a bug report needs, in a process of its own."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from cnnctl import __version__
from tests.cli.command import cnnctl, succeed


def test_json_says_what_trains_here(tmp_path: Path) -> None:
    told = json.loads(succeed("info", "--json", cwd=tmp_path))
    assert told["cnnctl"] == __version__
    assert told["versions"]["keras"] == version("keras")
    assert told["backend"] in ("tensorflow", "jax")
    assert told["device"]["kind"] in ("cpu", "gpu")
    assert told["precision"]["policy"] in ("float32", "mixed_bfloat16", "mixed_float16")
    assert told["trouble"] is None
    assert told["cache"]["bytes"] >= 0


def test_without_a_backend_it_says_why_and_all_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text("raise ImportError('no libcudart')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    done = cnnctl("info", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert rows["no training"].strip().startswith("Keras cannot be imported: no libcudart")
    assert rows["cnnctl"].strip() == __version__
    assert "device" not in rows

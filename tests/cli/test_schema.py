"""`cnnctl schema`: the JSON Schema, and the reference page of every key."""

import json
from pathlib import Path

from cnnctl.config.reference import json_schema
from tests.cli.command import succeed
from tests.conftest import CONFIGS


def test_prints_the_json_schema(tmp_path: Path) -> None:
    assert json.loads(succeed("schema", cwd=tmp_path)) == json_schema()


def test_prints_the_reference_page_of_the_repository(tmp_path: Path) -> None:
    printed = succeed("schema", "--markdown", cwd=tmp_path)
    assert printed == (CONFIGS.parent / "docs" / "config.md").read_text(encoding="utf-8")
    assert "| `initial_weights`" in printed

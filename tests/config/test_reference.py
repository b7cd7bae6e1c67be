"""docs/config.md is what the schema says today, and says something about every key."""

from pathlib import Path

import pytest

from cnnctl.config.reference import markdown
from cnnctl.config.schema import SECTIONS

PAGE = Path(__file__).parent.parent.parent / "docs" / "config.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").replace("\\|", "/").split(" | ")]
    for line in markdown().splitlines()
    if line.startswith("| `")
]


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == markdown(), "run: cnnctl schema --markdown > docs/config.md"


def test_every_key_of_every_section_has_a_row():
    keys = sorted(key for section in set(SECTIONS.values()) for key in (*section.model_fields,))
    assert sorted(row[0].strip("`") for row in ROWS) == sorted([*keys, "size", "extends"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_row_says_type_meaning_and_an_example(row):
    key, kind, _, meaning, example = row
    assert kind
    assert meaning
    assert example.startswith(f"{key[:-1]}: ")
    assert not example.endswith(": none`"), "a default of none wants an example"
    assert not example.endswith("...`"), "an example that is cut off is none"

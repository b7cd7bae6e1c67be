"""README keeps up with the commands."""

import re

from cnnctl.cli.app import COMMANDS
from tests.conftest import CONFIGS

README = (CONFIGS.parent / "README.md").read_text(encoding="utf-8")


def test_every_command_has_its_paragraph() -> None:
    described = re.findall(r"^### `cnnctl ([a-z]+)", README, re.MULTILINE)
    assert sorted(described) == sorted(COMMANDS)


def test_nothing_was_left_to_be_filled_in() -> None:
    assert not re.search(r"^\s*[A-Z]+_[A-Z_]+\s*$|\bTODO\b|\bTBD\b", README, re.MULTILINE)


def test_ready_configs_are_named_as_they_are() -> None:
    for name in re.findall(r"`configs/([\w.-]+\.yaml)`", README):
        assert (CONFIGS / name).is_file()

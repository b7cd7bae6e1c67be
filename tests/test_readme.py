"""README is short, opens with what a newcomer needs, and leads to everything else."""

import re

from cnnctl.cli.app import COMMANDS
from tests.conftest import CONFIGS

ROOT = CONFIGS.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md")}
COMMANDS_PAGE = PAGES["docs/commands.md"]


def test_every_command_has_its_paragraph() -> None:
    described = re.findall(r"^## cnnctl ([a-z-]+)$", COMMANDS_PAGE, re.MULTILINE)
    assert sorted(described) == sorted(COMMANDS)


def test_every_command_is_in_the_table() -> None:
    listed = re.findall(r"^\| \[`cnnctl ([a-z-]+)`\]\(docs/commands\.md#cnnctl-([a-z-]+)\) \| \S", README, re.MULTILINE)
    assert all(name == section for name, section in listed)
    assert sorted(name for name, _ in listed) == sorted(COMMANDS)


def test_nothing_was_left_to_be_filled_in() -> None:
    for text in (README, *PAGES.values()):
        assert not re.search(r"^\s*[A-Z]+_[A-Z_]+\s*$|\bTODO\b|\bTBD\b", text, re.MULTILINE)


def test_ready_configs_are_named_as_they_are() -> None:
    for text in (README, *PAGES.values()):
        for name in re.findall(r"`configs/([\w.-]+\.yaml)`", text):
            assert (CONFIGS / name).is_file()


def test_the_config_that_is_shown_is_the_file() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    _, _, config = (CONFIGS / "digits.yaml").read_text(encoding="utf-8").partition("\n")
    assert shown == config


def test_it_is_short_and_opens_with_a_picture_and_two_commands() -> None:
    lines = README.splitlines()
    assert len(lines) <= 200
    opening = "\n".join(lines[:20])
    assert re.search(r"^!\[[^\]]+\]\(docs/pictures/", opening, re.MULTILINE)
    assert re.findall(r"^    (make \w+)", opening, re.MULTILINE) == ["make demo", "make test"]


def test_it_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w./-]+\.md)", README))
    assert {*PAGES, "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/BENCHMARKS.md"} <= linked

"""The memory of the machine, or of the container where that has less."""

from pathlib import Path

import pytest

from cnnctl.system.memory import machine_memory

MACHINE = "MemFree:  1 kB\nMemTotal:       16000 kB\nSwapTotal: 5 kB\n"


@pytest.mark.parametrize(
    ("machine", "container", "least"),
    [
        (MACHINE, None, 16_384_000),
        (MACHINE, "max\n", 16_384_000),
        (MACHINE, "8000000\n", 8_000_000),
        (MACHINE, "80000000000\n", 16_384_000),
        ("MemFree: 1 kB\n", "max\n", None),
        ("MemTotal: much\n", "max\n", None),
        (None, "8000000\n", None),
    ],
)
def test_the_lesser_of_both(machine: str | None, container: str | None, least: int | None, tmp_path: Path) -> None:
    paths = tmp_path / "meminfo", tmp_path / "memory.max"
    for path, text in zip(paths, (machine, container), strict=True):
        if text is not None:
            path.write_text(text)
    assert machine_memory(*paths) == least


def test_this_machine() -> None:
    found = machine_memory()
    assert found is not None
    assert 2**27 < found < 10**15

"""Measure and rewrite a section of BENCHMARKS.md.

    make bench CIFAR10=FOLDER [WHAT="cifar10 strong backends gpu"]

FOLDER holds train/ and test/ of CIFAR-10 as class folders. Nothing else should run meanwhile.
"""

import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import backends, cifar10, gpu, machine, strong

REPORT = Path(__file__).parent / "BENCHMARKS.md"
SECTIONS = {"cifar10": cifar10.section, "strong": strong.section, "backends": backends.section, "gpu": gpu.section}


def replace(report: str, name: str, text: str) -> str:
    """The report with another text for one of its sections, which come in the order of SECTIONS."""
    parts = dict(re.findall(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->\n", report, re.DOTALL))
    parts[name] = f"{text.rstrip()}\n"
    known = [f"<!-- begin {name} -->\n{parts[name]}<!-- end {name} -->\n" for name in SECTIONS if name in parts]
    return "# Benchmarks\n\n" + "\n".join(known)


def main(wanted: list[str]) -> None:
    folder = Path(os.environ.get("CIFAR10") or "cifar10").absolute()
    if not (folder / "train").is_dir() or not set(wanted) <= set(SECTIONS):
        sys.exit((__doc__ or "").strip())
    for name in wanted:
        text = SECTIONS[name](folder)
        seen = f"{machine.describe()} {datetime.now(UTC):%Y-%m-%d}."
        before = REPORT.read_text(encoding="utf-8") if REPORT.is_file() else ""
        REPORT.write_text(replace(before, name, f"{text}\n\n{seen}\n"), encoding="utf-8")
        print(f"wrote {name} into {REPORT}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["cifar10"])

"""Measure and rewrite a section of BENCHMARKS.md.

    make bench CIFAR10=FOLDER CATS_DOGS=FOLDER [WHAT="startup cifar10 ..."] [TORCH=PYTHON] [CLEANLAB=PYTHON] [ROUNDS=3]

CIFAR10 holds train/ and test/ of CIFAR-10 as class folders, CATS_DOGS the class folders of cats and dogs; MNIST may
name the folder of MNIST. benchmarks/datasets.py makes those of CIFAR-10 and MNIST. TORCH is a Python that has PyTorch,
CLEANLAB one that has cleanlab. Nothing else should run meanwhile.
"""

import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    accuracy,
    backends,
    cifar10,
    doctor,
    folder,
    foreign,
    gpu,
    growth,
    machine,
    modern,
    pace,
    pretrained,
    scale,
    serving,
    startup,
    sweeps,
)

REPORT = Path(__file__).parent / "BENCHMARKS.md"
SECTIONS = {
    "startup": startup.section,
    "folder": folder.section,
    "serving": serving.section,
    "cifar10": cifar10.section,
    "modern": modern.section,
    "pace": pace.section,
    "growth": growth.section,
    "pretrained": pretrained.section,
    "foreign": foreign.section,
    "doctor": doctor.section,
    "backends": backends.section,
    "scale": scale.section,
    "sweeps": sweeps.section,
    "accuracy": accuracy.section,
    "gpu": gpu.section,
}


def replace(report: str, name: str, text: str) -> str:
    """The report with another text for one of its sections, which come in the order of SECTIONS."""
    parts = dict(re.findall(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->\n", report, re.DOTALL))
    parts[name] = f"{text.rstrip()}\n"
    known = [f"<!-- begin {name} -->\n{parts[name]}<!-- end {name} -->\n" for name in SECTIONS if name in parts]
    return "# Benchmarks\n\n" + "\n".join(known)


def main(wanted: list[str]) -> None:
    images = Path(os.environ.get("CIFAR10") or "cifar10").absolute()
    if not (images / "train").is_dir() or not set(wanted) <= set(SECTIONS):
        sys.exit((__doc__ or "").strip())
    for name in wanted:
        text = SECTIONS[name](images)
        seen = f"{machine.describe()} {datetime.now(UTC):%Y-%m-%d}."
        before = REPORT.read_text(encoding="utf-8") if REPORT.is_file() else ""
        REPORT.write_text(replace(before, name, f"{text}\n\n{seen}\n"), encoding="utf-8")
        print(f"wrote {name} into {REPORT}")


if __name__ == "__main__":
    main(sys.argv[1:] or list(SECTIONS))

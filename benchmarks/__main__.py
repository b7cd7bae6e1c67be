"""`make bench`: measure and rewrite BENCHMARKS.md.   CIFAR10=FOLDER make bench, with FOLDER/train and FOLDER/test."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cifar10, machine

REPORT = Path(__file__).parent / "BENCHMARKS.md"


def main() -> None:
    folder = os.environ.get("CIFAR10")
    if folder is None or not (Path(folder) / "train").is_dir():
        sys.exit("name the folder that holds train/ and test/ of CIFAR-10: make bench CIFAR10=FOLDER")
    heading = f"# Benchmarks\n\n{machine.describe()} {datetime.now(UTC):%Y-%m-%d}, nothing else running.\n"
    REPORT.write_text(f"{heading}\n{cifar10.report(cifar10.measure(Path(folder).absolute()))}\n")
    print(f"wrote {REPORT}")


if __name__ == "__main__":
    main()

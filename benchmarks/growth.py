"""From 5,000 to 500,000 images: memory and time of a training, and how soon the images are found and split.

    python -m benchmarks.growth [IMAGES]

prints it for images in tar files alone: a million, or IMAGES.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.processes import Watched, cnnctl
from cnnctl.data.decoder.images import opencv

SIZES = (5_000, 50_000, 500_000)
LISTED = 200_000
SHARDED, A_SHARD = 1_000_000, 10_000
CLASSES = 10
CONFIG = """\
data: {{train: {folder}, validation: 0.1, image: {{size: 8}}, cache: {cache}}}
model:
  - conv2d: {{filters: 8, kernel_size: 3, activation: relu}}
  - max_pooling2d: {{pool_size: 2}}
  - flatten
train: {{epochs: 2, batch_size: 256}}
"""


def section(_: Path) -> str:
    """The section of BENCHMARKS.md."""
    seen: dict[int, Watched] = {}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for count in (*SIZES, LISTED):
            write_images(work / f"images-{count}", count, empty=count == LISTED)
            text = CONFIG.format(folder=work / f"images-{count}", cache=work / "cache")
            (work / f"{count}.yaml").write_text(text)
        for count in SIZES:
            seen[count] = cnnctl("train", work / f"{count}.yaml", cwd=work)
            print(f"{count:,} images: {seen[count].anonymous / 1e6:.0f} MB, {seen[count].seconds:.1f} s", flush=True)
        found = [_until_reported(work / f"{LISTED}.yaml", work) for _ in range(3)]
    return "\n".join([report(seen, found), "", shards()])


def shards(count: int = SHARDED) -> str:
    """What is said of images in tar files."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_shards(work / "shards", count)
        text = CONFIG.format(folder=work / "shards", cache=work / "cache").replace("epochs: 2", "epochs: 1")
        (work / "shards.yaml").write_text(text)
        found = [_until_reported(work / "shards.yaml", work) for _ in range(3)]
        done = cnnctl("train", work / "shards.yaml", cwd=work)
    each, files = ", ".join(f"{one:.1f}" for one in found), -(-count // A_SHARD)
    return (
        f"{count:,} such images in {files} tar files are listed, split and reported {each} s after process\n"
        f"start; decoded into the cache and trained for one epoch, the whole command takes {done.seconds:.0f} s and\n"
        f"{done.anonymous / 1e6:,.0f} MB of memory of its own."
    )


def write_shards(folder: Path, count: int) -> None:
    """The same images in tar files."""
    cv2 = opencv()
    generator = np.random.default_rng(0)
    folder.mkdir()
    for first in range(0, count, A_SHARD):
        with tarfile.open(folder / f"train-{first // A_SHARD:05}.tar", "w") as shard:
            for number in range(first, min(count, first + A_SHARD)):
                content = cv2.imencode(".jpg", generator.integers(0, 256, (8, 8, 3), np.uint8))[1].tobytes()
                member = tarfile.TarInfo(f"class-{number % CLASSES}/image-{number:07}.jpg")
                member.size = len(content)
                shard.addfile(member, io.BytesIO(content))


def write_images(folder: Path, count: int, empty: bool, side: int = 8) -> None:
    """JPEG files of square noise, each with other pixels, in class folders; empty ones are only to be found."""
    cv2 = opencv()
    generator = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / f"class-{label}").mkdir(parents=True)
    for number in range(count):
        file = folder / f"class-{number % CLASSES}" / f"image-{number:07}.jpg"
        if empty:
            file.touch()
            continue
        pixels = generator.integers(0, 256, (side, side, 3), np.uint8)
        file.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())


def _until_reported(config: Path, work: Path) -> float:
    """Seconds from process start until `train` has said which images it found; then it is stopped."""
    command = [sys.executable, "-m", "cnnctl", "train", str(config)]
    begun = time.perf_counter()
    with subprocess.Popen(command, cwd=work, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        reported = next(time.perf_counter() - begun for line in process.stderr if line.startswith("validation:"))
        process.kill()
    return reported


def report(seen: dict[int, Watched], found: list[float]) -> str:
    """The section of BENCHMARKS.md."""
    middle = seen[50_000].anonymous
    lines = [
        "## From 5,000 to 500,000 images",
        "",
        "Two epochs of a small network on generated 8x8 JPEG files. Own memory is the peak of RssAnon: the decoded",
        "images are mapped from the cache and belong to the kernel.",
        "",
        "| images | own memory, peak | beside that of 50,000 | physical memory, peak | whole command |",
        "| --- | --- | --- | --- | --- |",
    ]
    for count, run in seen.items():
        ratio = run.anonymous / middle
        own, all_of_it = run.anonymous / 1e6, run.peak / 1e6
        lines.append(f"| {count:,} | {own:,.0f} MB | {ratio:.2f} | {all_of_it:,.0f} MB | {run.seconds:.1f} s |")
    times = ", ".join(f"{seconds:.1f}" for seconds in sorted(found))
    lines += ["", f"A tree of {LISTED:,} images is listed, split and reported {times} s after process start."]
    return "\n".join(lines)


if __name__ == "__main__":
    print(shards(int(sys.argv[1]) if len(sys.argv) > 1 else SHARDED))
    print(f"\n{machine.describe()}")

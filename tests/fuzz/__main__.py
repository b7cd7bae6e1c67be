"""Hostile input for minutes: every answer must be a result or an error that names its cause.

    make fuzz [MINUTES=3] [WHAT="configs folders images depths bombs models tables lists heic names weights"]

configs  hypothesis on text, and on mutations of the ready-made configs
folders  trees of folders with links, loops, pipes, sockets, splits, system folders and odd names
images   damaged files of every format into the decoder, under a limit of memory, each twice with another image between
depths   whole image files of every depth, band and sort: the pixels that were written, or the name of the sort
bombs    BMP files of every header; scans, boxes and comments without end: right, or refused at once
models   a .keras, a .onnx and a checkpoint, cut off or damaged at many points
tables   CSV files in every dialect: whole, without a header, and mistreated
lists    COCO's JSON, metadata.jsonl and Parquet files with images, with anything at any place in them, or damaged
heic     HEIC files of every sort with changed boxes, under a limit of memory and of time
names    odd names of files to read and to write, of classes and of configs, as arguments, on stdin and on the screen
weights  weights of pretrained networks in every format, cut off or damaged at many points
"""

import os
import random
import sys
import time
import traceback
from collections.abc import Callable

from tests.fuzz import bombs, configs, depths, folders, heic, images, lists, models, names, tables, weights

SECTIONS: dict[str, Callable[[random.Random], None]] = {
    "configs": configs.once,
    "folders": folders.once,
    "images": images.once,
    "depths": depths.once,
    "bombs": bombs.once,
    "models": models.once,
    "tables": tables.once,
    "lists": lists.once,
    "heic": heic.once,
    "weights": weights.once,
    "names": names.once,
}


def main() -> None:
    """Run the sections that are asked for, each for its share of the time; the first failure ends it with its seed."""
    wanted = sys.argv[1:] or list(SECTIONS)
    seconds = 60 * float(os.environ.get("MINUTES") or 3) / len(wanted)
    for name in wanted:
        end = time.monotonic() + seconds
        number = int(os.environ.get("SEED") or time.time_ns() % 10**9)
        first = number
        while time.monotonic() < end:
            try:
                SECTIONS[name](random.Random(number))
            except BaseException:
                traceback.print_exc(file=sys.stdout)
                sys.exit(f"{name}: failed; once more with: make fuzz WHAT={name} SEED={number}")
            number += 1
        print(f"{name:8} {number - first:7,} inputs, no failure (seeds {first} to {number - 1})", flush=True)


if __name__ == "__main__":
    main()

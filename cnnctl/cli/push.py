"""`cnnctl push`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption, RunOption, find_and_tell, two_runs

EPILOG = (
    "Example: cnnctl push runs/photos/1 s3://bucket/photos\n\n"
    "Or: cnnctl push runs/photos/1 hf://OWNER/photos --only-model"
)


def push_cli(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN] TARGET",
            help="A folder, an address such as s3://bucket/photos, or hf://OWNER/NAME; the run stands before it.",
            show_default=False,
        ),
    ],
    run: RunOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what cnnctl pushed there before.")] = False,
    only_model: Annotated[
        bool, typer.Option("--only-model", help="Leave out what names or shows images: split.csv, plots and others.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="A new place on the hub is for everybody; default: private.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Send a run to a folder, a bucket or Hugging Face's hub, with the SHA-256 of each file."""
    from functools import partial

    from cnnctl.errors import UsageError
    from cnnctl.formatting import printable, size
    from cnnctl.terminal.render import print_json, print_text, remark, say_values
    from cnnctl.terminal.watch import captured_watcher
    from cnnctl.transfer.push import push

    if len(words) > 2:
        raise UsageError(f"push takes a run and one target; received: {' '.join(words)}", "push once for each target")
    *named, target = words
    if named and run is not None and run != Path(named[0]):
        raise two_runs(Path(named[0]), run)
    found = find_and_tell(Path(named[0]) if named else run)
    with captured_watcher() as watcher:
        pushed = push(
            found,
            target,
            overwrite=overwrite,
            only_model=only_model,
            public=public,
            progress=partial(watcher.progress, "sending"),
        )
    if not pushed.has_card:
        remark("warning: the run has no model card\n  hint: cnnctl card writes one")
    if as_json:
        print_json({"target": pushed.target, "files": list(pushed.files), "bytes": pushed.size})
    elif not say_values(pushed.target):
        print_text(f"pushed {len(pushed.files)} files, {size(pushed.size)}, to {printable(pushed.target)}")
        print_text(f"next  cnnctl pull {printable(pushed.target)}")

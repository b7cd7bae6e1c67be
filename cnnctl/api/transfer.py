"""`cnnctl.push` and `cnnctl.pull`."""

from functools import partial
from pathlib import Path

from cnnctl.api.guests import hosted
from cnnctl.api.runs import AnyRun, TrainedRun, find
from cnnctl.system.files import absolute
from cnnctl.system.watcher import Watcher
from cnnctl.transfer import pull as pulling
from cnnctl.transfer import push as pushing
from cnnctl.transfer.push import Pushed


def push(
    run: AnyRun,
    target: str | Path,
    *,
    overwrite: bool = False,
    only_model: bool = False,
    public: bool = False,
    progress: bool | Watcher | None = None,
) -> Pushed:
    """Send a run to a folder, a bucket or Hugging Face's hub, with the SHA-256 of each file.

    Args:
        run: A complete run.
        target: A folder, an address such as `s3://bucket/photos`, or `hf://OWNER/NAME`.
        overwrite: Replace what cnnctl pushed there before.
        only_model: Leave out what names or shows images.
        public: A new place on the hub is for everybody; private when left out.
        progress: True prints to stderr how far it is; or a watcher that is told. When
            left out, a notebook shows a bar, and nothing is printed elsewhere.

    Raises:
        UsageError: something is there already.
        RunError: there is no such run, it is not complete, or the place cannot be reached.
        MachineError: a package is missing, or it cannot be written.

    Example: `push("runs/photos/1", "s3://bucket/photos").files`
    """
    found = find(run)
    with hosted("pushing a run", progress) as (watcher, _):
        told = partial(watcher.progress, "sending")
        return pushing.push(
            found, str(target), overwrite=overwrite, only_model=only_model, public=public, progress=told
        )


def pull(source: str | Path, *, output: str | Path | None = None, progress: bool | Watcher | None = None) -> TrainedRun:
    """Bring a run that was pushed here, and compare each file with its SHA-256.

    Args:
        source: A folder, an address such as `s3://bucket/photos`, or `hf://OWNER/NAME[@REVISION]`.
        output: The new folder for it; runs/NAME/NUMBER when left out.
        progress: True prints to stderr how far it is; or a watcher that is told. When
            left out, a notebook shows a bar, and nothing is printed elsewhere.

    Raises:
        UsageError: `output` is not empty.
        RunError: there is none, it is not whole, or a file is not what the list says.
        MachineError: a package is missing, or it cannot be written.

    Example: `Predictor(pull("s3://bucket/photos")).predict("cat.jpg").label`
    """
    with hosted("pulling a run", progress) as (watcher, _):
        told = partial(watcher.progress, "bringing")
        return TrainedRun(absolute(pulling.pull(str(source), None if output is None else Path(output), told).path))

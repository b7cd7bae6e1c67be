"""`cnnctl serve`."""

import os
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import RunOptions
from cnnctl.serving.limits import Limits
from cnnctl.system.loudness import is_quiet

EPILOG = "Example: cnnctl serve runs/digits/1 --port 8080"


@dataclass(frozen=True)
class AddressOptions:
    """Where it listens."""

    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 accepts other machines.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes any free port.")] = (
        8000
    )


@dataclass(frozen=True)
class LimitOptions:
    """What one request may ask for."""

    max_megabytes: Annotated[
        float | None,
        typer.Option(
            "--max-megabytes",
            min=0.001,
            max=1000,
            help="Largest size of a request; default: the run's limit for one image file.",
            show_default=False,
        ),
    ] = None
    max_images: Annotated[int, typer.Option("--max-images", min=1, help="Largest number of images in a request.")] = (
        Limits.images
    )
    timeout: Annotated[
        float,
        typer.Option("--timeout", metavar="SECONDS", min=0.1, max=3600, help="Time limit of a request, in seconds."),
    ] = Limits.seconds
    queue: Annotated[
        int,
        typer.Option(
            "--queue",
            metavar="IMAGES",
            min=1,
            help="Number of images that may wait; requests beyond it get status 503.",
        ),
    ] = Limits.queue

    def limits(self, image_bytes: int) -> Limits:
        """Those of a run that takes image files of so many bytes."""
        body_bytes = image_bytes if self.max_megabytes is None else round(self.max_megabytes * 1_000_000)
        return Limits(body_bytes, self.max_images, self.timeout, self.queue)


def serve_cli(
    address: AddressOptions,
    limits: LimitOptions,
    run: RunOptions,
    explain: Annotated[
        bool,
        typer.Option("--explain/--no-explain", help="Offer Grad-CAM; Keras is loaded at the first request for it."),
    ] = True,
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown/--no-unknown", help="Say of each image whether it is unlike all that the run was trained on."
        ),
    ] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for each request.")] = False,
) -> int:
    """Serve predictions over HTTP, with a page to try them, until Ctrl-C or SIGTERM."""
    from cnnctl.formatting import printable
    from cnnctl.serving.server import address_of, insist_on_packages, is_local, listening, serve
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.layout import width_of, wrapped

    insist_on_packages()
    found = run.find()

    with (
        listening(address.host, address.port) as listener,
        captured_stderr() as capture,
        redirect_stderr(capture.terminal),
    ):
        with Path(os.devnull).open("ab") as nowhere:
            capture.attach(nowhere)  # libpng and libjpeg complain of every damaged image

        def tell(text: str) -> None:
            print(wrapped(printable(text), width_of(sys.stderr)), file=sys.stderr, flush=True)

        def ready(missing: str | None) -> None:
            if missing is not None and not is_quiet():
                tell(f"warning: no Grad-CAM: {missing}")
            if not is_local(listener) and not is_quiet():
                tell("warning: the server has no password: anyone who can reach this address can use it")
            where = f"{printable(str(found.path))} at {address_of(listener)}"
            print(f"serving {where}  (Ctrl-C ends it)", flush=True)

        return serve(found, listener, limits.limits, explain, ready, tell if verbose else None, unknown)

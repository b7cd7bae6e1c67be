"""`cnnctl report`."""

from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption, RunOptions
from cnnctl.errors import Notice

EPILOG = "Example: cnnctl report runs/digits/1 --open"


def report_cli(
    run: RunOptions,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    with_images: Annotated[
        bool,
        typer.Option(
            "--with-images",
            help="Show the images that split.csv names, wherever they are; default: only of your own runs, "
            "and only those that they were trained on, from the data folders of the config.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write everything about a run into one HTML page, RUN/report.html, that loads nothing from the network."""
    from cnnctl.evaluation.report.write import write_report
    from cnnctl.formatting import printable
    from cnnctl.system.files import absolute
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.render import print_json, remark, say_values

    found = run.find()
    notices: list[Notice] = []
    with captured_stderr():
        path = write_report(found, with_images, notices.append)
    for notice in notices:
        remark(f"warning: {printable(notice.message)}\n  hint: {notice.hint}")
    if as_json:
        print_json({"report": str(path), "bytes": path.stat().st_size})
    elif not say_values(path):
        print(f"open  {printable(str(path))}", flush=True)
    if show:
        import webbrowser

        if not webbrowser.open(absolute(path).as_uri()):
            remark("warning: there is no browser to open it in")

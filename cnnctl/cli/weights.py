"""`cnnctl weights`."""

import sys
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption

EPILOG = "Example: cnnctl weights MobileNetV2"


def weights_cli(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="Network whose weights are wanted; default: list all.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the pretrained networks, or bring the weights of one here and check them."""
    from cnnctl.terminal.watch import watching
    from cnnctl.terminal.weights import print_networks, print_obtained
    from cnnctl.weights.find import obtain
    from cnnctl.weights.published import NETWORKS, network_of

    if name is None:
        print_networks(tuple(NETWORKS.values()), as_json)
        return
    network = network_of(name)
    with watching(True, sys.stderr) as watcher:
        path = obtain(network, watcher, fetch=True)
    print_obtained(network, path, as_json)

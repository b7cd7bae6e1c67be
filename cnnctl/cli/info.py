"""`cnnctl info`."""

from cnnctl.cli.options import JsonOption

EPILOG = "Example: cnnctl info --json"


def info_cli(as_json: JsonOption = False) -> None:
    """Show versions, device, precision and cache: what a bug report needs."""
    from cnnctl.models.machine import inspect_machine
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.found import print_machine

    with captured_stderr():
        machine = inspect_machine()
    print_machine(machine, as_json)

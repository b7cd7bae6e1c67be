"""Entry point of the command `cnnctl` and of `python -m cnnctl`."""

import sys


def main() -> None:
    """Run the command line and leave the process with a documented exit code."""
    from cnnctl.cli.app import run

    sys.exit(run())


if __name__ == "__main__":
    main()

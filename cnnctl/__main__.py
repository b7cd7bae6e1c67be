"""Entry point of the command `cnnctl` and of `python -m cnnctl`."""

import os
import sys


def main() -> None:
    """Run the command line and leave the process with a documented exit code."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would look for some in all installed packages
    from cnnctl.cli.app import run

    code = run()
    limited = sys.modules.get("cnnctl.system.limited_work")  # without it no work had a limit
    sys.exit(code) if limited is None else limited.end_process(code)


if __name__ == "__main__":
    main()

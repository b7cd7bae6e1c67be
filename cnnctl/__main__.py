"""Entry point of the command `cnnctl` and of `python -m cnnctl`."""


def main() -> None:
    """Run the command line and leave the process with a documented exit code."""
    from cnnctl.cli.app import run
    from cnnctl.system.limited_work import end_process

    end_process(run())


if __name__ == "__main__":
    main()

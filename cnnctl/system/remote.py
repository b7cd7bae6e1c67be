"""Places that are not on this machine, such as s3:// and https://, through fsspec."""

from typing import Any

from cnnctl.errors import MachineError, how_to_install


def file_system(scheme: str) -> Any:
    """What fsspec has for a scheme, such as `s3`.

    Raises:
        MachineError: the package for it is not installed, or cannot be used.
    """
    try:
        import fsspec
    except ImportError:
        raise MachineError(f"{scheme}:// needs fsspec, which is not installed", how_to_install("remote")) from None
    try:
        return fsspec.filesystem(scheme)
    except (ImportError, ValueError) as error:
        raise MachineError(f"{scheme}:// cannot be used: {error}", "install the package that it names") from None
    except Exception as error:  # each package raises its own
        raise MachineError(f"{scheme}:// cannot be used: {reason(error)}") from None


def reason(error: Exception) -> str:
    """The first line of what an error says, else what it is."""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__

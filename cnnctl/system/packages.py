"""Packages that cnnctl has and cnnctl-light leaves out, missed before the work that needs them."""

import importlib.util
import sys

from cnnctl.errors import LIGHT, MachineError, extras_of_light, how_to_install

_TITLES = {"sklearn": "scikit-learn", "jinja2": "Jinja2", "matplotlib": "Matplotlib"}
_EXTRAS = {"matplotlib": "pictures"}
"""Of cnnctl-light."""


def insist_on(*modules: str) -> None:
    """Raises:
    MachineError: a package is not installed; the hint installs it.
    """
    missing = [name for name in modules if not is_installed(name)]
    if not missing:
        return
    names = " and ".join(_TITLES.get(name, name) for name in missing)
    if extras_of_light() is None:
        raise MachineError(f"this needs {names}, which cnnctl was installed without", how_to_install())
    extra = _EXTRAS.get(missing[0]) if len(missing) == 1 else None
    raise MachineError(f"this needs {names}, which {LIGHT} leaves out", how_to_install(extra))


def is_installed(name: str) -> bool:
    """Whether a package is there; it is not imported."""
    return sys.modules.get(name) is not None or importlib.util.find_spec(name) is not None

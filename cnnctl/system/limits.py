"""Limits that the user may set by an environment variable."""

import math
import os

from cnnctl.errors import UsageError

_ABOVE_0 = math.ulp(0.0)


def limit_set(variable: str, unit: str, example: str, most: float, least: float = _ABOVE_0) -> float | None:
    """The number in a variable of the environment, from `least` to `most`; None where it is not set.

    Raises:
        UsageError: it is set to something else.
    """
    text = os.environ.get(variable)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise UsageError(f"{variable} is a number of {unit} above 0; received: {text[:50]}", f"{variable}={example}")
    return value

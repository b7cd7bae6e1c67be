"""Labels as numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnctl.errors import DataError


def label_numbers(labels: Sequence[str], classes: Sequence[str], source: str) -> NDArray[np.int64]:
    """Labels as class numbers, matched by name.

    Raises:
        DataError: a name that the run does not know.
    """
    number = {name: index for index, name in enumerate(classes)}
    unknown = sorted(set(labels) - set(classes))
    if unknown:
        known = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
        raise DataError(f"{source} has the class {unknown[0]}, which the run was not trained on", f"it knows {known}")
    return np.array([number[label] for label in labels], np.int64)

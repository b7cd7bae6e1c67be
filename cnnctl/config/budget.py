"""What a network may cost at most: assertions, which change nothing in it."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from cnnctl.settings import OrNone, Positive, Settings, described

_GROUPED = r"[0-9]{1,3}(_[0-9]{3})+"


def _without_groups(value: Any) -> Any:
    """200_000 is a text in YAML 1.2, and a number to whoever writes it."""
    return int(value) if isinstance(value, str) and re.fullmatch(_GROUPED, value) else value


_Number = Annotated[
    int,
    Field(ge=1),
    BeforeValidator(_without_groups),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{_GROUPED}$"}]}),
]


class Budget(Settings):
    """Limits of a network; `check` and `train` refuse one that is beyond them."""

    parameters: Annotated[_Number | None, OrNone, described("Parameters at most.", 200_000)] = None
    multiply_adds: Annotated[
        _Number | None, OrNone, described("Multiply-adds of a prediction at most, all views together.", 20_000_000)
    ] = None
    weights_megabytes: Annotated[
        Positive | None, OrNone, described("Size of the weights on disk at most, in MB (10^6 bytes).", 1)
    ] = None
    latency_ms: Annotated[
        Positive | None,
        OrNone,
        described(
            "Milliseconds for one image at most, by ONNX Runtime in one thread on the machine that trains; measured "
            "when model.onnx is written; a slower one is said to be so.",
            5,
        ),
    ] = None

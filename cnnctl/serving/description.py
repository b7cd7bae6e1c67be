"""What the OpenAPI description says beyond the routes themselves."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cnnctl.inference import DEFAULT_TOP

WORDS = """\
A network that cnnctl trained. Images are sent as raw bytes, or as multipart/form-data in fields called image; they are
never fetched from paths or addresses. A request that fails gets the reason: {"error": ..., "hint": ...}.
"""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Likely(_Model):
    """A class and its probability."""

    label: str
    probability: float = Field(ge=0, le=1.0001)


class Answer(_Model):
    """One image's answer, as `cnnctl predict --format json` gives it; `error` only where it could not be read."""

    path: str = Field(description="The file's own name as it was sent; empty for raw bytes.")
    label: str | None = Field(description="Of a run that may give several labels: cat|dog, or empty for none.")
    probability: float | None = Field(description="That `label` is right; of several, these and no others.")
    top: list[Likely]
    labels: list[Likely] | None = Field(
        default=None, description="Of a run that may give several labels, those that the image gets."
    )
    prediction_set: list[str] | None = Field(default=None, description="With `coverage`, the classes of the set.")
    unknown: bool | None = Field(
        description="Whether the image is unlike all that the run was trained on; null if the run cannot tell."
    )
    unknown_score: float | None = Field(description="How unlike it is.")
    unknown_threshold: float | None = Field(description="The score above which an image is unknown.")
    error: str = Field(default="", description="Why the image could not be used.")


class Reason(_Model):
    """Why a request is not answered, and the mend where there is one."""

    error: str
    hint: str | None


class Input(_Model):
    """What every image is made to be."""

    height: int
    width: int
    channels: int
    fit: str
    background: list[int]


class Costs(_Model):
    """What one request may cost."""

    body_bytes: int
    images: int
    image_pixels: int
    seconds: float


class Model(_Model):
    """The run that answers."""

    run: str
    classes: list[str]
    thresholds: list[float] | None = Field(
        description="From which probability on an image has each class; null if it has one, the most probable."
    )
    input: Input
    limits: Costs
    explains: bool = Field(description="Whether POST /v1/explain is available.")
    versions: dict[str, str]


class ClassMap(_Model):
    """Where a class is seen."""

    label: str
    probability: float
    silent: bool = Field(description="Whether no position raises the score of the class.")
    picture: str = Field(description="The image under its class activation map, as a data: address.")


class Explanation(_Model):
    """The regions of an image that contribute to the most probable classes."""

    method: str
    layer: str | None = Field(description="The layer whose features the maps are computed from; null for the pixels.")
    maps: list[ClassMap]


class Health(_Model):
    """That images are being answered; status 503 has the reason where they are not."""

    status: str


_BINARY = {"type": "string", "format": "binary"}


def body(images: int) -> dict[str, Any]:
    """The body of a request that may hold so many images, for a route."""
    fields = {"type": "array", "items": _BINARY, "minItems": 1, "maxItems": images}
    form = {
        "type": "object",
        "properties": {"image": fields},
        "required": ["image"],
        "additionalProperties": False,
    }
    content = {
        "image/*": {"schema": _BINARY},
        "application/octet-stream": {"schema": _BINARY},
        "multipart/form-data": {"schema": form},
    }
    return {"requestBody": {"required": True, "content": content}}


TOP: dict[str, Any] = {
    "parameters": [
        {
            "name": "top",
            "in": "query",
            "required": False,
            "description": "Number of classes to show, the most probable first.",
            "schema": {"type": "integer", "minimum": 1, "default": DEFAULT_TOP},
        }
    ]
}

TOP_AND_COVERAGE: dict[str, Any] = {
    "parameters": [
        *TOP["parameters"],
        {
            "name": "coverage",
            "in": "query",
            "required": False,
            "description": "Also name the smallest set of classes that has the right one in this share of cases.",
            "schema": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        },
    ]
}

_STATUSES = {
    400: "The request is not valid HTTP, or has two Host headers.",
    403: "The request comes from a page of another site, or names another host than the local one.",
    408: "The request did not arrive in time.",
    413: "Too many bytes, pixels or images.",
    415: "The format of the body or of the image is not supported.",
    422: "No image, a damaged one, or a wrong `top` or `coverage`.",
    431: "The header of the request is too long.",
    503: "The queue is full, or there was no answer in time; Retry-After says when to try again.",
}
_ANY_REQUEST = (400, 403, 408, 431, 503)


def reasons(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Responses that are refusals, for a route: these, and those that any request may get."""
    found = sorted({*_ANY_REQUEST, *statuses})
    return {status: {"model": Reason, "description": _STATUSES[status]} for status in found}

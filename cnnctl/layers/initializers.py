"""How weights begin: Keras' initializers by their names, and two that Keras lacks."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from cnnctl.settings import Named, Positive, Settings, described, expected

BiasInitializerName = Literal[
    "zeros",
    "ones",
    "random_uniform",
    "random_normal",
    "truncated_normal",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
]
InitializerName = Literal[BiasInitializerName, "orthogonal"]
FilterInitializerName = Literal[InitializerName, "dirac", "whitening"]

DIRAC = "dirac"
ORDINARY = "glorot_uniform"
"""Keras' default, by which the weights begin that neither `dirac` nor `whitening` sets."""


MOST_IMAGES = 5000
MOST_PIXELS = MOST_IMAGES * 32 * 32
"""Of the training images that `whitening` looks at."""


class Whitening(Named):
    """Filters whose outputs for the training images are uncorrelated: the eigenvectors of the covariance of all patches
    of the kernel's size, each over sqrt(eigenvalue + epsilon), the largest eigenvalue first, and then their negatives.

    It is for the first layer with weights. The patches are those of 5,000 training images, or of fewer large ones, as
    they flow into the layer: scaled, and not augmented. A kernel of 2x2 pixels of 3 channels makes 24 filters; if there
    are to be fewer, those of the smallest eigenvalues are left out.
    """

    epsilon: Annotated[Positive, described("Keeps filters finite in directions in which patches hardly differ.")] = 5e-4


class _LongForm(Settings):
    whitening: Whitening | None


@dataclass(frozen=True)
class _OrWhitening:
    """Annotation of a union of names and `Whitening`: YAML `he_normal`, `whitening`, or its name with settings.

    The bare name `whitening` means the one with its defaults.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        names = handler.generate_schema(get_args(source)[0])

        def validate(value: Any, by_name: core_schema.ValidatorFunctionWrapHandler) -> Any:
            if isinstance(value, Whitening):
                return value
            if isinstance(value, dict):
                if Whitening.kind not in value:
                    raise expected(f"the name of an initializer, or {{{Whitening.kind}: {{epsilon: 0.0005}}}}")
                return _LongForm.model_validate(value).whitening or Whitening()
            return Whitening() if value == Whitening.kind else by_name(value)

        return core_schema.no_info_wrap_validator_function(validate, names)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        names: dict[str, Any] = handler(schema)
        settings = handler(Whitening.__pydantic_core_schema__)
        long = {"type": "object", "properties": {Whitening.kind: {"anyOf": [settings, {"type": "null"}]}}}
        return {"anyOf": [names, {**long, "required": [Whitening.kind], "additionalProperties": False}]}


_WEIGHTS = described("Initializer of the weights.", "he_normal")
Initializer = Annotated[InitializerName, _WEIGHTS]
FilterInitializer = Annotated[FilterInitializerName | Whitening, _OrWhitening(), _WEIGHTS]
BiasInitializer = Annotated[BiasInitializerName, described("Initializer of the biases.", "ones")]

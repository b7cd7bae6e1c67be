"""The vocabulary of a config and the only home of its defaults.

The layers are in cnnctl.layers, the variations of images in augmentations.py, the train section in training.py,
its optimizers in optimizers.py, its schedules in schedules.py.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    PlainValidator,
    Strict,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from cnnctl.config.augmentations import AUGMENTATIONS, Augmentation
from cnnctl.config.budget import Budget
from cnnctl.config.optimizers import Optimizer
from cnnctl.config.schedules import Schedule
from cnnctl.config.training import EarlyStopping, FineTune, Lookahead, TrainSettings
from cnnctl.layers import LAYERS, Layer
from cnnctl.layers.base import Regularizer
from cnnctl.layers.initializers import Whitening
from cnnctl.layers.output import SOFTMAX, MultiLabel, Output, OutputSettings
from cnnctl.settings import Colour, Count, FromZero, Named, OrNone, Settings, Text, described, expected, is_whole

MAX_IMAGE_SIDE = 8192

PARTS = 64
"""Parts that images are dealt into where each process of a training keeps its own; every batch has as many of each."""


def _channels(value: Any) -> int:
    if not is_whole(value, 1) or value not in (1, 3):
        raise expected("1 or 3")  # true and 3.0 are equal to a literal, so that Literal alone lets them pass
    return int(value)


class ImageSettings(Settings):
    """Size, channels and scaling of the images that the network gets."""

    height: Annotated[int, described("Height in pixels.", ge=1, le=MAX_IMAGE_SIDE)] = 64
    width: Annotated[int, described("Width in pixels.", ge=1, le=MAX_IMAGE_SIDE)] = 64
    channels: Annotated[
        Literal[1, 3], BeforeValidator(_channels), described("Number of channels: 3 is RGB, 1 is grey.")
    ] = 3
    fit: Annotated[
        Literal["stretch", "crop", "pad"],
        described("How images are fitted to the size: stretch, crop (the centre) or pad."),
    ] = "stretch"
    scaling: Annotated[
        Literal["auto", "unit", "symmetric", "standardize"],
        described(
            "Pixel scaling in the network. auto: that of the backbone, else unit; unit: x/255; symmetric: x/127.5 - 1; "
            "standardize: (x - mean) / std of the training images."
        ),
    ] = "auto"
    background: Annotated[
        Colour, described("Colour of padding and behind transparency: [red, green, blue], 0 to 255.")
    ] = (0, 0, 0)
    max_megapixels: Annotated[
        Count,
        described("Maximum size of an image in megapixels; larger files are refused before they are decoded.", le=1000),
    ] = 64
    max_megabytes: Annotated[
        Count, described("Maximum size of an image file in MB; larger files are refused.", le=1000)
    ] = 100

    @model_validator(mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "size" not in value:
            return value
        if "height" in value or "width" in value:
            raise PydanticCustomError("size_twice", "size sets height and width: do not set them as well")
        size = value["size"]
        if not is_whole(size, 1) or size > MAX_IMAGE_SIDE:
            raise PydanticCustomError(
                "size", "expected size to be a whole number from 1 to {most}", {"most": MAX_IMAGE_SIDE}
            )
        return {**{key: other for key, other in value.items() if key != "size"}, "height": size, "width": size}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        built: dict[str, Any] = handler(schema)
        fields = handler.resolve_ref_schema(built)
        size = {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_IMAGE_SIDE,
            "description": "Sets height and width to the same value.",
        }
        fields["properties"] = {"size": size, **fields["properties"]}
        return built


def _label_columns(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list | tuple) and len(value) > 1 and all(isinstance(one, str) and one for one in value):
        if len(set(value)) == len(value):
            return tuple(value)
        raise expected("each column once")
    raise expected("the name of a column, or a list of two or more, one for each class")


_COLUMN = {"type": "string", "minLength": 1}
Label = Annotated[
    str | tuple[str, ...],
    PlainValidator(_label_columns),
    WithJsonSchema({"anyOf": [_COLUMN, {"type": "array", "items": _COLUMN, "minItems": 2, "uniqueItems": True}]}),
]


class CsvColumns(Settings):
    """Columns of a table of images, and the folder of its files."""

    path: Annotated[Text, described("Column with the file names, or the images.")] = "path"
    label: Annotated[
        Label,
        described(
            "Column with the class names; with output: multi_label also several in a field, such as cat|dog, or a list "
            "of columns, one a class, with 1 where the image has the label and 0 where it has not."
        ),
    ] = "label"
    group: Annotated[
        Text | None, OrNone, described("Column with group names; images of a group stay in one split.", "patient")
    ] = None
    folder: Annotated[
        Text | None,
        OrNone,
        described(
            "Folder that the file names are relative to; default: the table's own; for COCO: found by looking.",
            "images",
        ),
    ] = None


class Share(float):
    """The share of all images that a split draws, from 0 to below 1."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.float_schema())


class Source(str):
    """Where a split has images of its own: class folders, a CSV, or a built-in name."""

    __slots__ = ()


def _share_or_source(value: Any) -> Share | Source | None:
    if value is None or value == "none":
        return None
    if isinstance(value, str):
        if not value:
            raise expected("a share of the images such as 0.2, or a path")
        return Source(value)
    if type(value) in (int, float, Share) and 0 <= value < 1:
        return Share(value)
    raise expected("a share of the images from 0 to below 1, or a path")


ShareOrSource = Annotated[
    Share | Source | None,
    PlainValidator(_share_or_source),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "exclusiveMaximum": 1}, {"type": "string"}, {"type": "null"}]}
    ),
]


class DataSettings(Settings):
    """Where the images are, how they are split and what they are made to be."""

    train: Annotated[
        Text,
        described(
            "Folder or archive with one folder for each class, table of images, or the built-in `digits`.", "photos"
        ),
    ]
    validation: Annotated[ShareOrSource, described("Fraction of all images, or a path; 0: none.")] = Share(0.2)
    test: Annotated[ShareOrSource, described("Fraction of all images, a path, or none.", 0.15)] = None
    csv: CsvColumns = CsvColumns()
    folders_are_classes: Annotated[
        bool,
        described("Whether folders named like splits, such as train and test, are classes; else they are refused."),
    ] = False
    image: ImageSettings = ImageSettings()
    cache: Annotated[Text, described("Cache of decoded images: auto (the user's cache folder), off, or a folder.")] = (
        "auto"
    )
    keep: Annotated[
        Literal["all", "parts"],
        described(
            "What each process of a training keeps: all images, or its own of 64 parts that the training images are "
            "dealt into; then every batch has as many images of each part."
        ),
    ] = "all"
    on_bad_image: Annotated[Literal["error", "skip"], described("What to do with an image that cannot be decoded.")] = (
        "error"
    )
    max_bad_images: Annotated[float, described("Maximum fraction of images that may be skipped.", ge=0, le=1)] = 0.01

    @model_validator(mode="after")
    def _something_left(self) -> "DataSettings":
        if sum(self.shares) >= 1:
            raise PydanticCustomError("nothing_left", "validation and test together leave no image to train on")
        return self

    @field_validator("validation", mode="after")
    @classmethod
    def _none_is_zero(cls, value: Share | Source | None) -> Share | Source:
        return Share(0) if value is None else value

    @field_validator("test", mode="after")
    @classmethod
    def _zero_is_none(cls, value: Share | Source | None) -> Share | Source | None:
        return value or None

    @property
    def shares(self) -> tuple[float, float]:
        """What validation and test draw from the images of `train`; 0 for one that draws none."""
        validation, test = (one if isinstance(one, Share) else 0.0 for one in (self.validation, self.test))
        return validation, test

    @property
    def sources(self) -> dict[str, Source]:
        """The places of the splits that have images of their own; `train` always has."""
        places = {"train": Source(self.train), "validation": self.validation, "test": self.test}
        return {split: place for split, place in places.items() if isinstance(place, Source)}


class TestTime(Settings):
    """Views of an image whose mean is the answer, in every prediction and evaluation of the trained network."""

    __test__ = False  # no test of pytest

    flip: Annotated[bool, described("Whether each view is seen mirrored left to right as well, with equal weight.")] = (
        False
    )
    shift: Annotated[
        FromZero,
        described(
            "Pixels by which two more views are shifted, to the upper left and to the lower right; the two together "
            "weigh as much as the plain image. 0: none.",
            1,
        ),
    ] = 0

    @property
    def seen(self) -> tuple[tuple[bool, int, float], ...]:
        """Each view, the image itself first: whether it is mirrored, its shift down and to the right, its weight."""
        shifts = ((0, 0.5), (self.shift, 0.25), (-self.shift, 0.25)) if self.shift else ((0, 1.0),)
        sides = (False, True) if self.flip else (False,)
        return tuple((mirrored, shift, weight / len(sides)) for shift, weight in shifts for mirrored in sides)


def views_of(test_time: TestTime | None) -> int:
    """How often an image goes through the network in a prediction."""
    return 1 if test_time is None else len(test_time.seen)


def _auto_or_bool(value: Any) -> Any:
    if value != "auto" and not isinstance(value, bool):
        raise expected("auto, true or false")
    return value


_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"


class Config(Settings):
    """A whole config."""

    name: Annotated[
        str | None,
        described(
            "Name of the folder in runs/; default: the name of the config file.", "cats-vs-dogs", pattern=f"^{_NAME}$"
        ),
    ] = None
    seed: Annotated[
        int, described("Random seed of the weights, split, order, augmentation and dropout.", ge=0, lt=2**31)
    ] = 0
    deterministic: Annotated[
        Literal["auto"] | bool,
        BeforeValidator(_auto_or_bool),
        WithJsonSchema({"enum": ["auto", True, False]}),
        described("Whether equal runs give equal weights; auto: true on a CPU, where it costs nothing."),
    ] = "auto"
    classes: Annotated[
        int | None, described("Number of classes; needed only for `summary` without data.", 10, ge=2, le=100_000)
    ] = None
    output: Annotated[
        Output,
        described(
            "Output layer: softmax, the default, has a unit for each class; sigmoid has one for two classes; "
            "multi_label is for images with several labels.",
            "sigmoid",
        ),
    ] = SOFTMAX
    data: Annotated[DataSettings, described("Images: where they are and how they are read.", {"train": "photos"})]
    augment: Annotated[
        tuple[Augmentation, ...],
        Strict(False),
        described(
            "Random augmentations of the training images, in this order.", [{"random_flip": {"mode": "horizontal"}}]
        ),
    ] = ()
    model: Annotated[
        tuple[Layer, ...],
        Strict(False),
        described(
            "Hidden layers; the output layer is added.",
            [{"conv2d": {"filters": 32, "kernel_size": 3}}, "flatten"],
            min_length=1,
        ),
    ]
    test_time: Annotated[
        TestTime | None,
        OrNone,
        described("Mirrored and shifted views whose mean logits make the answer.", {"flip": True, "shift": 1}),
    ] = None
    budget: Annotated[
        Budget | None,
        OrNone,
        described("What the network may cost at most; it is refused beyond that.", {"parameters": 200_000}),
    ] = None
    train: TrainSettings = TrainSettings()

    @field_validator("test_time", mode="after")
    @classmethod
    def _shift_is_less_than_the_sides(cls, views: TestTime | None, info: ValidationInfo) -> TestTime | None:
        data = info.data.get("data")
        if views is not None and data is not None and views.shift >= min(data.image.height, data.image.width):
            raise PydanticCustomError(
                "shift", "shift is {shift}, which is not less than the image's sides", {"shift": views.shift}
            )
        return views

    @model_validator(mode="after")
    def _sigmoid_is_for_two(self) -> "Config":
        if self.output.kind == "sigmoid" and self.classes not in (None, 2):
            raise PydanticCustomError("sigmoid_classes", "output: sigmoid is for exactly two classes")
        return self


CHOICES: dict[str, dict[str, type[Named]]] = {
    "layer": LAYERS,
    "augmentation": AUGMENTATIONS,
    "optimizer": {member.kind: member for member in Optimizer.__args__},
    "schedule": {member.kind: member for member in Schedule.__args__},
}
"""Everything that is chosen by name: what it is called in messages -> its classes by name."""
SECTIONS: dict[str, type[Settings]] = {
    "": Config,
    "data": DataSettings,
    "image": ImageSettings,
    "csv": CsvColumns,
    "output": OutputSettings,
    "multi_label": MultiLabel,
    "test_time": TestTime,
    "budget": Budget,
    "train": TrainSettings,
    "early_stopping": EarlyStopping,
    "fine_tune": FineTune,
    "lookahead": Lookahead,
    **{f"{of}_regularizer": Regularizer for of in ("kernel", "depthwise", "pointwise")},
    Whitening.kind: Whitening,
    **{name: member for members in CHOICES.values() for name, member in members.items()},
}
"""Each section by the last name of its path, for messages that list the keys."""

"""What somebody meant by a key or a name that there is not: another library's word, or a key of another section."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from cnnctl.config.extends import EXTENDS
from cnnctl.config.schema import CHOICES, SECTIONS, Config
from cnnctl.config.source import ValuePath, format_path
from cnnctl.layers.base import ActivationName
from cnnctl.settings import Settings

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "learning_rate": ("lr", "lr0", "alpha", "eta"),
    "batch_size": ("batch", "bs"),
    "epochs": ("num_epochs", "n_epochs", "max_epochs"),
    "weight_decay": ("wd",),
    "kernel_size": ("kernel", "kernels", "ksize", "size"),
    "filters": ("out_channels", "channels_out"),
    "dilation_rate": ("dilation",),
    "activation": ("act", "nonlinearity"),
    "pool_size": ("pool", "window"),
    "units": ("neurons", "out_features", "num_units"),
    "rate": ("p", "prob", "probability"),
    "use_bias": ("bias",),
    "dense": ("fc", "linear", "fully_connected"),
    "conv2d": ("conv", "convolution", "convolution2d"),
    "separable_conv2d": ("sepconv", "sepconv2d"),
    "depthwise_conv2d": ("dwconv", "dwconv2d"),
    "max_pooling2d": ("maxpool", "maxpool2d", "max_pool", "max_pool2d", "pooling", "pool"),
    "average_pooling2d": ("avgpool", "avgpool2d", "avg_pool", "avg_pool2d", "mean_pooling"),
    "global_average_pooling2d": ("gap", "global_avg_pool", "global_average_pool", "adaptiveavgpool2d"),
    "global_max_pooling2d": ("gmp", "global_max_pool"),
    "batch_normalization": ("bn", "batchnorm", "batchnorm2d", "batch_norm"),
    "layer_normalization": ("ln", "layernorm", "layer_norm"),
    "zero_padding2d": ("pad", "padding", "zeropad2d"),
    "leaky_relu": ("lrelu", "leakyrelu"),
    "silu": ("swish",),
    "early_stopping": ("early_stop", "earlystopping"),
    "reduce_on_plateau": ("reducelronplateau", "plateau"),
    "validation": ("val", "valid", "validation_split"),
    "test": ("test_split",),
    "size": ("image_size", "img_size", "imgsz", "input_shape"),
    "augment": ("augmentation", "augmentations", "transforms"),
    "model": ("layers", "network", "architecture"),
    "train": ("training",),
    "precision": ("dtype", "amp", "mixed_precision"),
    EXTENDS: ("base", "inherit", "inherits", "include", "defaults"),
    "random_flip": ("flip", "hflip", "horizontal_flip"),
    "random_rotation": ("rotate", "rotation"),
}
"""Our word -> what other libraries, and people in a hurry, call it."""

_FIRST = ("train", "data", "image", "optimizer", "schedule")
"""Where a key that several sections have is looked for first."""


def suggest(word: str, known: Iterable[str], introduction: str | None) -> str | None:
    """`did you mean ...?`, else the list of what is known after `introduction`."""
    known = list(known)
    close = _closest(word, known)
    if close:
        return f"did you mean {close}?"
    return f"{introduction} {', '.join(known)}" if introduction and known else None


def meant_name(word: str, what: str) -> str | None:
    """A hint for a name that no layer, optimizer, ... (`what`) has; None where nothing comes close."""
    close = _closest(word, CHOICES[what])
    function = _closest(word, get_args(ActivationName)) if what == "layer" and not _same(word, CHOICES[what]) else None
    if function == "softmax":
        return "leave it out: the output layer, with its softmax, is appended"
    if function and (close is None or _plain(word) == _plain(function)):
        return f"did you mean activation: {{activation: {function}}}?"
    return f"did you mean {close}?" if close else None


def meant_key(path: ValuePath, data: Mapping[str, Any]) -> str | None:
    """A hint for a key that its section does not have: one like it, or the place where such a key is."""
    section = section_at(path[:-1])
    known = tuple(section.model_fields) if section else ()
    known = (*known, EXTENDS) if section is Config else known
    word = str(path[-1])
    close = _closest(word, known)
    if close is None:
        elsewhere = _elsewhere(word, data)
        if elsewhere:
            return f"did you mean {elsewhere}?"
    return suggest(word, known, "the keys here are")


def key_called(option: str) -> str | None:
    """The path of the key that somebody took for an option of the command line: `--epochs` is `train.epochs`."""
    return _elsewhere(option.lstrip("-"), {})


def _elsewhere(word: str, data: Mapping[str, Any]) -> str | None:
    found = ((place, _same(word, fields)) for place, fields in _sections(data))
    return next((format_path((*place, name)) for place, name in found if name), None)


def meant_path(path: ValuePath, data: Mapping[str, Any]) -> ValuePath | None:
    """The path that somebody meant who left the name or the brackets out; None where there is none, or it is right."""
    right: list[str | int] = []
    at: Any = data
    for part in path:
        what = _chosen(right)
        if what and (at is None or isinstance(at, list)) and isinstance(part, str) and part.isdecimal():
            part = int(part)  # model.0 is model[0]
        if what and isinstance(part, str) and not isinstance(at, list) and part not in CHOICES[what]:
            kind = _kind(at) or (_default(right) if at is None else None)
            found = kind and _same(part, CHOICES[what][kind].model_fields)
            if not kind or not found:
                return None
            right += [kind, found]
            at = None
            continue
        right.append(part)
        at = at[part] if isinstance(at, dict) and part in at else _item(at, part)
    return tuple(right) if tuple(right) != path else None


def section_at(path: ValuePath) -> type[Settings] | None:
    """The section whose keys stand at a path."""
    if not path:
        return SECTIONS[""]
    return SECTIONS.get(path[-1]) if isinstance(path[-1], str) else None


def _item(at: Any, part: str | int) -> Any:
    return at[part] if isinstance(at, list) and isinstance(part, int) and part < len(at) else None


def _chosen(path: list[str | int]) -> str | None:
    """What the next step of a path names: a layer, an optimizer, ...; None where it is a key or an index."""
    if len(path) > 1 and isinstance(path[-1], int):
        return "augmentation" if path[-2] == "augment" else "layer"
    if path in (["model"], ["augment"]):
        return "layer" if path == ["model"] else "augmentation"
    return str(path[-1]) if path and path[-1] in ("optimizer", "schedule") else None


def _kind(at: Any) -> str | None:
    """The name in `adam`, or in {adam: {...}}."""
    if isinstance(at, str):
        return at
    return str(next(iter(at))) if isinstance(at, dict) and at else None


def _default(path: list[str | int]) -> str | None:
    default = getattr(Config.model_fields["train"].default, str(path[-1]), None)
    return default.kind if default is not None else None


def _sections(data: Mapping[str, Any]) -> Iterator[tuple[ValuePath, Iterable[str]]]:
    """The sections of this config that are no list, each with its path and its keys."""
    train = data.get("train")
    settings = train if isinstance(train, dict) else {}
    for name in _FIRST:
        place: ValuePath = ("data", name) if name == "image" else (name,)
        if name in ("optimizer", "schedule"):
            kind = _same(_kind(settings.get(name)) or "", CHOICES[name]) or _default([name])
            if kind is None:
                continue
            yield ("train", name, kind), CHOICES[name][kind].model_fields
        else:
            yield place, (*SECTIONS[name].model_fields, *(("size",) if name == "image" else ()))
    yield ("train", "early_stopping"), SECTIONS["early_stopping"].model_fields
    yield ("data", "csv"), SECTIONS["csv"].model_fields
    yield (), SECTIONS[""].model_fields


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


def _same(word: str, known: Iterable[str]) -> str | None:
    """The known name that a word is, however it is written, or that it is a synonym of."""
    plain = _plain(word)
    for name in known:
        if plain == _plain(name) or plain in map(_plain, _SYNONYMS.get(name, ())):
            return name
    return None


def _closest(word: str, known: Iterable[str]) -> str | None:
    lowered = {name.lower(): name for name in known}
    same = _same(word, lowered.values())
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return same or (lowered[close[0]] if close else None)

"""What somebody meant by a key or a name that there is not: another library's word, or a key of another section."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from cnnctl.config.overrides import parse_path
from cnnctl.config.schema import CHOICES, SECTIONS, Config
from cnnctl.config.source import EXTENDS, ValuePath, format_path
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
    "warmup_epochs": ("warmup",),
    "classes": ("num_classes", "n_classes", "nc", "class_count"),
    "validation": ("val", "valid", "validation_split", "val_split", "val_fraction"),
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

_CLASS_NAMES = ("classes", "class_names", "names", "labels", "label_names", "categories")
"""What others call a list of the classes' names."""

_DATA = ("data", "dataset", "data_dir", "images")
"""What somebody calls the training images on the command line."""

_LISTS = ("model", "augment")

_FIRST = ("train", "data", "image", "optimizer", "schedule")
"""Where a key that several sections have is looked for first."""

_MOST_LAYERS = 3


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


def meant_key(path: ValuePath, data: Mapping[str, Any], value: Any = None) -> str | None:
    """A hint for a key that its section does not have: one like it, or the place where such a key is."""
    section = section_at(path[:-1])
    known = tuple(section.model_fields) if section else ()
    known = (*known, EXTENDS) if section is Config else known
    word = str(path[-1])
    named = meant_names(word, value)
    if named:
        return named
    if _almost(word, known) is None:
        elsewhere = _meant_elsewhere(word, data, is_nested=len(path) > 1)
        if elsewhere:
            return elsewhere
    return suggest(word, known, "the keys here are")


def meant_names(word: str, value: Any) -> str | None:
    """A hint for a list of the classes' names; None where a key and its value are none."""
    if isinstance(value, list | tuple) and _plain(word) in map(_plain, _CLASS_NAMES):
        return "leave it out: the classes are named by their folders, or by the labels of the CSV"
    return None


def _meant_elsewhere(word: str, data: Mapping[str, Any], is_nested: bool) -> str | None:
    key = _elsewhere(word, data)
    if key is None:
        return None
    is_outside = is_nested and key in Config.model_fields
    return f"did you mean {key}, outside of all sections?" if is_outside else f"did you mean {key}?"


def keys_called(option: str, data: Mapping[str, Any], only_same: bool = False) -> list[str]:
    """The paths of the keys that somebody took for an option of the command line: `--epochs` is `train.epochs`.

    `data` is the config that is meant, or nothing; several layers of it may have such a key. Misspelt ones are found
    unless `only_same`.
    """
    word = option.lstrip("-")
    path = parse_path(word)
    if path is not None and len(path) > 1:
        section = section_at(path[:-1])
        name = _closest(str(path[-1]), section.model_fields) if section else None
        return [format_path((*path[:-1], name))] if name else []
    if _plain(word) in map(_plain, _DATA):
        return ["data.train"]
    if _same(word, _LISTS):
        return []
    places = [(place, [name for name in fields if _takes_a_value(name)]) for place, fields in _sections(data)]
    for look in (_same,) if only_same else (_same, _almost):
        found = next(((*place, name) for place, fields in places if (name := look(word, fields))), None)
        if found is not None:
            return [format_path(found)]
        inside = [(*place, name) for place, fields in _items(data) if (name := look(word, fields))]
        if inside:
            return list(map(format_path, inside[:_MOST_LAYERS]))
    return []


def _takes_a_value(key: str) -> bool:
    """Whether text can be its value, and not only a section or a list."""
    return key in ("train", *CHOICES) or key not in (*SECTIONS, *_LISTS)


def _items(data: Mapping[str, Any]) -> Iterator[tuple[ValuePath, Iterable[str]]]:
    """The layers and augmentations of this config that are known, each with its path and its keys."""
    for name, what in (("model", "layer"), ("augment", "augmentation")):
        items = data.get(name)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            kind = _kind(item)
            if kind in CHOICES[what]:
                yield (name, index, kind), CHOICES[what][kind].model_fields


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


def _almost(word: str, known: Iterable[str]) -> str | None:
    """The known name, or the one with a synonym, that a word misspells."""
    plain = {_plain(other): name for name in known for other in (name, *_SYNONYMS.get(name, ()))}
    close = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.8)
    return plain[close[0]] if close else None

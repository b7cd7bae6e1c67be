"""Choices -> the text of a config, with the reasons as comments."""

import json
import re
from pathlib import Path

from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.config.scalars import escape
from cnnctl.config.schema import CsvColumns
from cnnctl.data.file_names import PARQUET
from cnnctl.init.choose import TINY, Block, Choices
from cnnctl.init.look import DatasetSummary
from cnnctl.init.whitened import whitened_augment, whitened_model, whitened_train
from cnnctl.system.files import absolute, is_file

_LONGEST_NAME = 100


def compose(seen: DatasetSummary, choices: Choices, name: str, folder: Path) -> str:
    """The YAML text of a config that will lie in `folder`, from which its paths are read; `name` is the runs'."""
    return (
        "\n".join(
            [*_data(seen, choices, name, folder), *_augment(choices), *_model(choices), *_train(choices, seen.several)]
        )
        + "\n"
    )


def _text(value: str) -> str:
    """A scalar that YAML reads as this text, whatever it looks like."""
    plain = value.replace("/", "").replace("-", "").replace("_", "").replace(".", "")
    if value[:1].isalpha() and plain.isalnum() and value.isascii() and value.lower() not in ("true", "false", "null"):
        return value
    return json.dumps(escape(value))


def _source(path: str, folder: Path) -> str:
    """A path as the config has to write it: relative to its folder where it is below that."""
    if path in BUILT_IN_DATA:
        return path
    place, base = absolute(Path(path)), absolute(folder)
    written = str(place.relative_to(base) if place != base and place.is_relative_to(base) else place)
    return _text(f"./{written}" if written in BUILT_IN_DATA else written)


def _data(seen: DatasetSummary, choices: Choices, name: str, folder: Path) -> list[str]:
    reasons, sources = choices.reasons, {key: _source(path, folder) for key, path in seen.sources.items()}
    many = f"{seen.total:,} images of {len(seen.counts):,} classes"
    lines = [f"# Written by cnnctl init for {many}. Every line can be changed.", f"name: {_text(name)}", "data:"]
    if seen.several:
        lines.insert(-1, f"output: multi_label  # {reasons['output']}")
    lines.append(f"  train: {sources['train']}")
    validation, test = choices.shares
    lines.append(f"  validation: {sources['validation'] if validation is None else validation}")
    if test is None:
        lines.append(f"  test: {sources['test']}")
    elif test:
        lines.append(f"  test: {test}  # {reasons['test']}")
    else:
        lines.append(f"  # test: {reasons['test']}")
    if seen.folders_are_classes:
        lines.append("  folders_are_classes: true")
    if seen.columns is not None and seen.columns != CsvColumns():
        names = seen.columns.label
        label = _text(names) if isinstance(names, str) else f"[{', '.join(map(_text, names))}]"
        columns = f"path: {_text(seen.columns.path)}, label: {label}"
        images = seen.columns.folder
        columns += f", folder: {_source(str(absolute(Path(images))), folder)}" if images is not None else ""
        lines.append(f"  csv: {{{columns}}}")
    if seen.unreadable:
        lines.append("  on_bad_image: skip  # some cannot be opened; cnnctl check names them")
    size = f"size: {choices.height}"
    if choices.height != choices.width:
        size = f"height: {choices.height}, width: {choices.width}"
    channels = ", channels: 1" if choices.channels == 1 else ""
    lines.append(f"  # {reasons['size']}; {reasons['channels']}")
    scaling = ", scaling: standardize" if choices.backbone is None else ""  # else the backbone has its own
    lines.append(f"  image: {{{size}{channels}{scaling}}}")
    return lines


def _augment(choices: Choices) -> list[str]:
    if choices.backbone is not None:
        steps = "random_flip: {mode: horizontal}" if choices.flips else "random_rotation: {factor: 0.05}"
        return [
            "# To train the backbone as well, which takes minutes more: uncomment this line and fine_tune below.",
            f"# augment: [{steps}]  # {choices.reasons['flip']}",
        ]
    if choices.whitens:
        return whitened_augment(choices)
    tiny = min(choices.height, choices.width) <= TINY
    small = min(choices.height, choices.width) <= 40
    lines = [f"augment:  # {choices.reasons['flip']}"]
    if choices.flips:
        lines.append("  - random_flip: {mode: horizontal}")
    whole = ", interpolation: nearest" if small and not tiny else ""
    shift = 0.125 if small and not tiny else 0.1
    lines.append(f"  - random_translation: {{height_factor: {shift}, width_factor: {shift}{whole}}}")
    if tiny or not small:
        lines.append(f"  - random_rotation: {{factor: {0.03 if tiny else 0.05}}}")
    if not small:
        lines.append("  - random_zoom: {height_factor: 0.2}")
        lines.append("  - random_brightness: {factor: 0.15}")
        lines.append("  - random_contrast: {factor: [0.3, 0.3]}")
    return lines


def _model(choices: Choices) -> list[str]:
    if choices.backbone is not None:
        return [
            f"model:  # {choices.reasons['backbone']}; the output layer is appended",
            f"  - backbone: {{application: {choices.backbone}}}",
            "  - global_average_pooling2d",
            f"  - dropout: {{rate: {choices.dropout}}}",
        ]
    if choices.whitens:
        return whitened_model(choices)
    lines = [f"model:  # {choices.reasons['model']}; the output layer is appended"]
    sides = (choices.height, choices.width)
    for block in choices.blocks:
        lines += _block(block, sides)
        sides = (-(-sides[0] // 2), -(-sides[1] // 2)) if block.pools else sides
    small = min(choices.height, choices.width) <= 40
    lines.append("  - global_max_pooling2d" if small else "  - global_average_pooling2d")
    if choices.dropout:
        lines.append(f"  - dropout: {{rate: {choices.dropout}}}")
    return lines


def _block(block: Block, sides: tuple[int, int]) -> list[str]:
    lines = []
    padding = ", padding: same" if sides[0] % 2 or sides[1] % 2 else ""  # else the last row would be lost
    for place, filters in enumerate(block.filters):
        lines.append(f"  - conv2d: {{filters: {filters}, kernel_size: 3, padding: same, use_bias: false}}")
        if block.pools and place == len(block.filters) - 1:
            lines.append(f"  - max_pooling2d: {{pool_size: 2{padding}}}")
        lines += ["  - batch_normalization: {momentum: 0.9}", "  - activation: {activation: relu}"]
    return lines


def _train(choices: Choices, several: bool) -> list[str]:
    small = TINY < min(choices.height, choices.width) <= 40 and choices.batch_size == 128

    def smooth(share: float) -> list[str]:
        return [] if several else [f"  label_smoothing: {share}"]

    lines = [
        "train:",
        f"  epochs: {choices.epochs}  # {choices.reasons['epochs']}",
        f"  batch_size: {choices.batch_size}",
    ]
    if choices.backbone is not None:
        lines.append("  # fine_tune: {epochs: 4, layers: all, learning_rate: 2.0e-4}")
    elif choices.whitens:
        lines += whitened_train()
    elif small:
        sgd = "learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.0125"
        lines += [f"  optimizer: {{sgd: {{{sgd}}}}}", "  schedule: {one_cycle: {warmup_fraction: 0.25}}"]
        lines += [*smooth(0.2), "  ema: 0.99"]
    else:
        lines += ["  optimizer: {adamw: {learning_rate: 0.002, weight_decay: 0.02}}"]
        lines += ["  schedule: {one_cycle: {warmup_fraction: 0.2}}", *smooth(0.1), "  ema: 0.98"]
    if choices.is_unbalanced:
        lines.append(f"  class_weight: balanced  # {choices.reasons['class_weight']}")
    if choices.backbone is None and not several:
        lines.append("  best: val_accuracy")
    return lines


def run_name(data: str) -> str:
    """A name for the runs, after the data's folder or file."""
    is_one = is_file(data) or Path(data).suffix.lower() == PARQUET
    stem = absolute(Path(data)).name.removesuffix(Path(data).suffix if is_one else "")
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-.")
    return name[:_LONGEST_NAME] or "images"

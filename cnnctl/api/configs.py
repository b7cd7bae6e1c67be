"""`cnnctl.load_config`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnctl.config import Config
from cnnctl.config.load import load_values

Source = Config | Mapping[str, Any] | str | Path
"""A config: the path of its YAML file, the same as a mapping, or what `load_config` made of it."""


def load_config(source: Source, overrides: Mapping[str, Any] | None = None) -> Config:
    """A config with every default filled in and its paths absolute.

    Args:
        source: A YAML file, or the same as nested mappings and lists, whose paths are relative to the current folder.
        overrides: Values by dotted paths, such as `{"train.epochs": 3, "model[0].conv2d.filters": 8}`; paths among
            them are relative to the current folder.

    Raises:
        ConfigError: with every mistake of it in `problems`; of a file, with line and column.
        UsageError: the file cannot be read.

    Example: `load_config("photos.yaml", {"train.epochs": 3}).train.epochs == 3`
    """
    return load_values(source, overrides).need()

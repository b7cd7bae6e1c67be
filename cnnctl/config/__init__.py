"""YAML text -> one frozen `Config`, or all its errors with line and column."""

from cnnctl.config.load import Loaded, load, load_recorded, parse_config
from cnnctl.config.schema import Config

__all__ = ["Config", "Loaded", "load", "load_recorded", "parse_config"]

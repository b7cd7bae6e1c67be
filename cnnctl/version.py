"""The version of cnnctl."""

__version__ = "0.1.0"

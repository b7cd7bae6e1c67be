"""A run -> probabilities, by ONNX Runtime alone: neither keras nor tensorflow is imported here."""

DEFAULT_TOP = 3
"""Classes that are named unless told otherwise."""

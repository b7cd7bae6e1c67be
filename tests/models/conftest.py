"""Keras, imported once as the command imports it."""

from tests.training.conftest import _clean, _without_pictures, keras  # noqa: F401

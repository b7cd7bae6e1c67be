"""Bytes -> one uint8 image of the declared size. Training, evaluation, prediction and serving share it."""

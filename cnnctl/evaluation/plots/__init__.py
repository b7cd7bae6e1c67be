"""Figures -> pictures: what an evaluation and a training look like, as PNG files."""

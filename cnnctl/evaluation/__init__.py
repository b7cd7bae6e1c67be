"""Probabilities -> metrics and plots."""

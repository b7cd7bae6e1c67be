"""The documentation is true: its commands run."""

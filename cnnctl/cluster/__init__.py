"""One training, or the workers of a sweep, on the hosts of a Ray cluster."""

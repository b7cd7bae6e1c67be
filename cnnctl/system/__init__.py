"""The machine below the program: files, locks, signals, file descriptors, processor cores."""

"""What the machine and the operating system give: cores, files, locks, signals, streams."""

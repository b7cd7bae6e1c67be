"""What the machine and the operating system give: cores, files, signals, streams."""

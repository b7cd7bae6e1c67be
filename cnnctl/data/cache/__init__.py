"""Image files -> decoded images on disk, memory-mapped."""

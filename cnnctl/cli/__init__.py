"""argv in, text out: one file a command, no work of its own."""

"""Plain values as people read them in a terminal: tables, progress, the text of a summary and of an evaluation."""

"""What is measured, each figure in one run against a named alternative."""

"""What the commands do, as functions and values of Python; `cnnctl` names them all.

It is a front like cli/: no work of its own, and the text of a value is what the command prints.
"""

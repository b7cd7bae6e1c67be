"""A trained run behind HTTP: model.onnx answers, a page shows what it sees.

Nothing here imports keras; only explaining_process.py does, in a process of its own, once somebody asks why.
"""

"""A trained run -> a file for another runtime, with proof that it is the same model.

Keras is imported here only where a format is made from model.keras or compared with it.
"""

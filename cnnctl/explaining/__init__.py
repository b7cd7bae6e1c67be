"""A trained run and one image -> what the network makes of it: feature maps, kernels, class activation maps.

One of the two rooms that import keras; it never trains.
"""

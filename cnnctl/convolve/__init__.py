"""One convolution shown to a person, number by number: no training, no run, no Keras.

`convolution` is the arithmetic (numpy alone, no files), `kernels` the well-known matrices, `sources` reads a picture or
a kernel, `drawing` makes the PNG.
"""

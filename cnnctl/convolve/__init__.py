"""One convolution shown to a person, number by number: no training, no run, no Keras.

`convolution` is the arithmetic (numpy alone, no files), `kernels` the well-known matrices, `matrix` and `sources` read
a picture or a kernel, `options` reads what was typed, `demonstration` puts them together.
"""

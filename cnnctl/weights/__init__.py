"""Weights of pretrained networks: where they lie, how they come here, and their arrays, without Keras or PyTorch."""

"""Initializers: ``init(model)``, in place, once, after the random numbers were seeded.

They draw the weights of linear and convolution layers and set those layers' biases to zero;
everything else keeps what PyTorch gave it. ``from_run`` takes all weights from another run.
"""

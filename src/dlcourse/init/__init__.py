"""Initializers: ``init(model)``, in place, once, after the random numbers were seeded.

They draw the weights of linear and convolution layers and set those layers' biases to zero;
everything else keeps what PyTorch gave it. ``from_run`` takes all weights from another run.

One with a keyword ``inputs`` looks at the training part of its own fold: ``inputs(count)`` yields
so many standardised inputs, or all if there are fewer, some (n, ...) at a time and in an order that
follows from the seed. It is left out where the weights come from a checkpoint.
"""

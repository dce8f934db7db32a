"""What ``dlcourse show`` can show: one line and one module of this package for each ``what``.

A module has a docstring, which is the help of ``dlcourse show what=<name> --help``, and

    OPTIONS  its own options with their defaults; None makes one required
    show(options, rest, command)

options: the values of its own options. rest: the other arguments, a run's overrides. command: the
whole command, as it was typed.
"""

KINDS = {
    "data": "training images or points, unchanged and augmented",
    "schedule": "the learning rate over the whole run",
    "init": "the variance of signals and gradients layer by layer, before training",
    "activation": "the activation functions and their derivatives",
    "kernels": "hand-made 3x3 kernels on an image",
    "convolution": "sizes, the matrix of a convolution, and the checkerboard of its transpose",
    "gradient": "the factors of backpropagation through a small network, number by number",
}
"""Each ``what``, and what it shows in one line."""

"""Layers that several models share: activations, norms and poolings by name, attention.

``convolution``, ``kernels`` and ``hand_written`` are teaching examples that no model uses.
"""

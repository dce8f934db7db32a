"""Inspect a network: layers, shapes, memory, receptive fields, gradients."""

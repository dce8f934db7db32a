"""Weights of other programs: read a file, understand its names, fit it to a model.

``load_file`` does all of it. Only tensors are read from a file, never code.
"""

"""Averages of the weights: a class with two methods.

``start(model) -> nn.Module`` makes the model that is evaluated, tested and kept, and
``update(averaged, model, step)`` moves it after each training step, counted from 0. Without an
average the two models are one. A class with a keyword ``steps`` is told those of all epochs.
"""

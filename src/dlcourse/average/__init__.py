"""Averages of the weights: a class with the methods ``start`` and ``update``.

``start(model) -> nn.Module`` is called once before training and returns the model that is
evaluated, tested and saved: a copy, or without an average the model itself.
``update(averaged, model, step) -> None`` is called after every training step, counted from 0, and
changes ``averaged`` in place; it may also change ``model``.

It may have a method ``settle(state, fold, recipe) -> None``, which is called after every epoch and
prepares ``state.averaged`` for being evaluated and saved.

A class whose ``__init__`` has a keyword argument ``steps`` is given the number of training steps of
all epochs together, and with ``steps_per_epoch`` that of an epoch; all other arguments are options
in the YAML file. All state must be in
``averaged``, which a checkpoint stores, so that a run can be resumed exactly.
"""

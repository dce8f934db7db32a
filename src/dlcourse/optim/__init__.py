"""Optimizers: ``(groups) -> torch.optim.Optimizer``.

groups: a list of parameter groups from ``groups.py``. Each is a dict with ``params``, their
``weight_decay`` and ``rate``, a factor of the learning rate; the run removes ``rate`` after the
optimizer is made and applies it through the schedule. Most optimizers are PyTorch's own, named in
``configs/optim/``.

A class may replace the usual training step by a static method
``training_step(state, inputs, targets, recipe) -> (outputs, loss)``: it updates ``state.model`` in
place with one batch of standardised inputs and returns the outputs (N, K) and the mean loss, both
without a gradient. The class attribute ``arrives_after`` is the number of epochs after which
training ends, where that is known (``optim=closed_form``). The attribute ``average``, an
``EvaluatedMean``, takes the weights that are evaluated and saved out of the optimizer's state.
"""

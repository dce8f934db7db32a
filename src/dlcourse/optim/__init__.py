"""Optimizers: ``(parameter groups) -> torch.optim.Optimizer``.

A group holds ``params``, their ``weight_decay`` and ``rate``, a factor of the learning rate that
the run takes out again; ``groups.py`` makes them. Most optimizers are PyTorch's own, named in
``configs/optim/``. A class may bring a training step of its own: a static method
``training_step(state, inputs, targets, recipe) -> (outputs, loss)``, both without a gradient.
"""

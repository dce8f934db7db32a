"""Models: ``Model(input_shape, output_size, *, hyperparameters)``, an ``nn.Module``.

``forward`` maps (N, *input_shape) to (N, output_size). The last layer is linear: the loss brings
the softmax. Every hyperparameter is keyword-only and without a default, for that is in the YAML.

A class may bring a training step of its own: a static method ``training_step(state, inputs,
targets, recipe) -> (outputs, loss)``. ``optim=closed_form`` asks for ``features(inputs)`` (N, M)
and a linear layer ``output`` on top of them.
"""

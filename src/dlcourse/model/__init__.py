"""Models: ``Model(input_shape, output_size, *, hyperparameters)``, an ``nn.Module``.

input_shape: of one example, (C, H, W) or (D,). output_size: the number of classes, or of values in
a regression. Every hyperparameter is keyword-only and has no default in the code: defaults stand in
the YAML file. ``forward`` maps standardised floats (N, *input_shape) to (N, output_size). The last
layer is linear: the softmax belongs to the loss. A model raises UserError for inputs that it cannot
take.

Optional members:

``training_step(state, inputs, targets, recipe) -> (outputs, loss)``, a static method, replaces the
usual training step: it updates ``state.model`` in place with one batch of standardised inputs and
returns the outputs (N, output_size) and the mean loss, both without a gradient.

``features(inputs) -> (N, M)`` together with a linear layer ``output`` on top of them is what
``optim=closed_form`` needs.
"""

"""Models: ``Model(input_shape, output_size, *, hyperparameters)``, an ``nn.Module``.

``forward`` maps (N, *input_shape) to (N, output_size). The last layer is linear: the loss brings
the softmax. Every hyperparameter is keyword-only and without a default, for that is in the YAML.
"""

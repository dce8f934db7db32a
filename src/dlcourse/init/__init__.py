"""Initializers: ``init(model) -> None`` changes the weights in place.

It is called once per fold, after the random generators were seeded and before the first step, with
a model whose layers have PyTorch's initial weights. One with a keyword ``inputs`` is not called if
the weights are read from a checkpoint. The initializers here draw the weights of linear and
convolution layers and set the
biases of these layers to zero; all other parameters keep PyTorch's values. ``from_run`` copies all
weights from another run, ``from_file`` from any file; both have the attribute ``reads_file``, with
which an initializer is not called either where a checkpoint is read, so that the file may be gone.

An initializer with a keyword argument ``inputs`` also sees training data of its fold: then it is
called as ``init(model, inputs=inputs)``, and ``inputs(count)`` yields ``count`` standardised inputs
(all if there are fewer) as batches (n, *input_shape) of floats on the model's device, in an order
that follows from the seed.
"""

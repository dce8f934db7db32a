"""Losses: ``(outputs, targets) -> scalar``, the mean over the batch.

outputs: (N, K) floats, in float32 at least. targets: (N,) int64 classes or, for a regression, (N,
K) floats. Some losses also take classes as probabilities (N, K), which mixup makes; the fact
``soft_targets`` in the YAML file declares it. ``multilabel`` declares that a loss takes examples
with several classes, (N, K) of 0 and 1; it may then have a keyword ``pos_weight`` (K,), a factor of
the classes that an example has, which ``loss.class_weight`` sets. All other weights multiply the
loss of each example, which ``torch.vmap`` computes as that of a batch of one. The result is a 0-d
tensor with a gradient.
"""

"""The number of training steps of a pass over the data."""


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Return the number of batches of an epoch that is one pass over the training examples.

    See ``train.batches.into_batches``; ``Recipe.steps`` knows of epochs that are not one pass.

    A single remaining example is not a batch of its own.
    """
    whole, rest = divmod(examples, batch_size)
    return max(1, whole + (rest > 1 or (rest == 1 and whole == 0)))

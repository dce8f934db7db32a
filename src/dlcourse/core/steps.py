"""The number of training steps of an epoch."""


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Return the number of batches in an epoch; see ``train.batches.into_batches``.

    A single remaining example is not a batch of its own.
    """
    whole, rest = divmod(examples, batch_size)
    return max(1, whole + (rest > 1 or (rest == 1 and whole == 0)))

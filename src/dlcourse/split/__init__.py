"""Splits: ``(targets, *, classes, ready_val, groups, **options) -> list[Part]``.

Each part names the positions of the examples to train on and those to validate on, and perhaps
those to test on instead of the data set's own test part. ``targets`` are those of the whole
training part, ``classes`` tells whether they are classes, the last ``ready_val`` examples are a
ready-made validation part, and ``groups`` (N,) are the numbers of the groups that the examples
belong to, or None. A hold-out is a list of one.
"""

"""Splits: ``(targets, *, classes, ready_val, **options) -> list[Part]``.

Each part names the positions of the examples to train on and those to validate on. ``targets`` are
those of the whole training part, ``classes`` tells whether they are classes, and the last
``ready_val`` examples are a ready-made validation part. A hold-out is a list of one.
"""

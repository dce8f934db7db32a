"""Views for test-time augmentation: ``(images) -> [(weight, images), ...]``.

images: (N, C, H, W) standardised floats. The weights of a view add up to 1. Several views are
composed: each is applied to all images that the one before returned. Views are used in validation
and test, not in training. ``answer.py`` averages the model's outputs over them.
"""

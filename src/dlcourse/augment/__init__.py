"""Augmentations: ``(inputs, targets) -> (inputs, targets)``, a batch at a time on its device.

They see raw inputs, before standardisation: pictures (N, C, H, W) as uint8 from 0 to 255, or float
if an earlier one made them so. Every example draws its own random numbers.
"""

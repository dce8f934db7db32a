"""Augmentations: ``(inputs, targets) -> (inputs, targets)``, a batch at a time on its device.

They see raw inputs, before standardisation: images (N, C, H, W) as uint8 from 0 to 255, or float
if an earlier one made them so. Every example draws its own random numbers. The inputs are left as
they are, and nothing waits for a GPU.

One with a keyword ``classes`` is given their number by the run, 0 in a regression, and one with a
keyword ``mean`` that of the training part, as the standardisation has it. It may return mixed
targets: probabilities (N, classes), or values (N, K) of a regression. One with keywords
``index``, ``epoch`` or ``seed`` is told the examples' positions (N,) in the training part, the
number of the epoch, from 0, on their device, and the run's seed: what follows from these alone is
the same after a resume.
"""

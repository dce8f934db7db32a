"""Augmentations: ``(inputs, targets) -> (inputs, targets)``, for training batches only.

inputs: raw, before standardisation, on the device: images (N, C, H, W), uint8 or, after another
augmentation, float from 0 to 255; or float features (N, D). targets: (N,) int64 classes, or (N, K)
floats: the values of a regression, or mixed classes as probabilities (N, classes).

An augmentation draws random numbers of its own for every example, returns new tensors instead of
changing its arguments, and does not read values back from the device. It may return mixed targets.

Further keyword arguments of these names are passed by the run; all others are options in the YAML
file:

- ``classes``: int, the number of classes, 0 in a regression;
- ``mean``: Tensor, the mean of the training part that the standardisation subtracts; it broadcasts
  against one example;
- ``index``: Tensor (N,) int64, the positions of the examples in the training part;
- ``epoch``: Tensor () int64, the number of the epoch, counted from 0, on the inputs' device;
- ``seed``: int, the seed of the run.

Results that follow from ``index``, ``epoch`` and ``seed`` alone are the same after a resume.
"""

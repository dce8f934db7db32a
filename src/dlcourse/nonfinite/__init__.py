"""What a run does after a number that is not finite: ``() -> NonFinite``.

The numbers are the loss, the gradients and the weights of a training step, and the validation loss.
Nothing of such a step is ever written to a file.
"""

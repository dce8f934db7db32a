"""The perceptron criterion."""

from torch import Tensor


def perceptron(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over examples of f_j - f_y, where j is the first of the largest outputs.

    Correctly classified examples have a loss and a gradient of zero. For ties the first class is
    predicted: with the outputs (0, s) of a single threshold neuron, class 1 is predicted if s > 0,
    and a gradient step of rate a on one example with a linear s is Rosenblatt's rule
    w <- w + a (d - y) x.

    outputs: (N, K) scores f. targets: (N,) classes y.

    Reference: Rosenblatt, "The perceptron", Psychological Review 65(6), 1958; for several classes
    Duda, Hart, "Pattern classification and scene analysis", 1973, section 5.12 (Kesler).
    """
    predicted = outputs.argmax(1, keepdim=True)  # (N, 1)
    return (outputs.gather(1, predicted) - outputs.gather(1, targets[:, None])).mean()

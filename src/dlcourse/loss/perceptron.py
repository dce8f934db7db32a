"""The perceptron criterion."""

from torch import Tensor


def perceptron(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over examples of f_j - f_y, j being the guess: the first largest output.

    Examples that are right add nothing, and so nothing is learned from them. A tie goes to the
    first class: outputs (0, s) of a single threshold neuron mean class 1 if s > 0, and a descent
    step of rate a on one example of a linear s is Rosenblatt's w <- w + a (d - y) x.
    outputs: (N, K) scores f; targets: (N,) classes y.

    Reference: Rosenblatt, "The perceptron", Psychological Review 65(6), 1958; for several classes
    Duda, Hart, "Pattern classification and scene analysis", 1973, section 5.12 (Kesler).
    """
    guess = outputs.argmax(1, keepdim=True)  # (N, 1)
    return (outputs.gather(1, guess) - outputs.gather(1, targets[:, None])).mean()

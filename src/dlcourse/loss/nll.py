"""The negative log-likelihood."""

from torch import Tensor
from torch.nn import functional as F


def nll(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of -log p[target] in two steps: log-softmax, then selection of the target.

    outputs: (N, K) logits. targets: (N,) classes, or (N, K) probabilities as weights of the
    log-likelihoods. Every model's last layer is linear, so the loss includes the softmax; its value
    is that of ``cross_entropy`` without label smoothing.

    Reference: Bridle, "Probabilistic interpretation of feedforward classification network
    outputs", 1990.
    Departs from ``torch.nn.NLLLoss``, which leaves the log-softmax to the model.
    """
    log_probabilities = F.log_softmax(outputs, dim=1)  # (N, K)
    if targets.dim() == 1:
        return F.nll_loss(log_probabilities, targets)
    return -(targets * log_probabilities).sum(1).mean()

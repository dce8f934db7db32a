"""Max-norm, a constraint on the weights of every unit."""

import torch
from torch import nn

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@torch.no_grad()
def max_norm(model: nn.Module, *, limit: float, all_parameters: bool) -> None:
    """Rescale each unit's incoming weights whose Euclidean norm exceeds ``limit`` to that norm.

    A unit's weights are a row of a matrix or a filter (C_in, height, width). Learned position
    embeddings and tokens do not change.

    all_parameters: whether to clip biases and the parameters of norms to [-limit, limit] too.

    Reference: Srebro, Shraibman, "Rank, trace-norm and max-norm", COLT 2005; Srivastava, Hinton,
    Krizhevsky, Sutskever, Salakhutdinov, "Dropout", JMLR 15, 2014, section 5.1.
    """
    for layer in model.modules():
        units = 1 if isinstance(layer, TRANSPOSED) else 0  # the dimension of the units
        for name, parameter in layer.named_parameters(recurse=False):
            if parameter.dim() > 1 and "weight" in name:
                others = [d for d in range(parameter.dim()) if d != units]
                norms = torch.linalg.vector_norm(parameter, dim=others, keepdim=True)
                parameter.mul_((limit / norms).clamp(max=1))
            elif parameter.dim() <= 1 and all_parameters:
                parameter.clamp_(-limit, limit)


max_norm.after_step = True

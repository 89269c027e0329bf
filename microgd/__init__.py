"""microgd: gradient descent, whole. The public names, and nothing else."""

from microgd import nn, optim
from microgd.core.tensor import Tensor, no_grad, tensor
from microgd.ops.shape import array
from microgd.ops.special import log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from microgd.transforms.reverse import grad, stop_gradient, value_and_grad, vjp

__version__ = "0.1.0"

__all__ = [
    "Tensor",
    "array",
    "grad",
    "log_softmax",
    "logsumexp",
    "nn",
    "no_grad",
    "optim",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "stop_gradient",
    "tensor",
    "value_and_grad",
    "vjp",
]

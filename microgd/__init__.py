"""microgd: gradient descent, whole. The public names, and nothing else."""

from microgd import ops as _ops  # fills the table of derivative rules
from microgd.core.tensor import Tensor, no_grad, tensor
from microgd.ops.shape import array
from microgd.ops.special import log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from microgd.transforms.reverse import grad, stop_gradient, value_and_grad, vjp

__version__ = "0.1.0"

"""microgd: gradient descent, whole. The public names, and a word to the allocator."""

import numpy as _np

from microgd import data, errors, nn, optim
from microgd.catalogue import supported
from microgd.check import Diagnosis, check_derivation, check_vjp, gradcheck
from microgd.core.tensor import Tensor, no_grad, tensor
from microgd.core.watch import record_lines
from microgd.errors import GradientError
from microgd.graph.draw import draw
from microgd.graph.explain import explain
from microgd.ops.shape import array
from microgd.ops.special import erf, log_softmax, logsumexp, polygamma, relu, sigmoid, softmax, softplus
from microgd.optim.explain import explain_step
from microgd.train import History, fit, load, save
from microgd.transforms.batch import vmap
from microgd.transforms.checkpoint import checkpoint
from microgd.transforms.custom import primitive
from microgd.transforms.forward import hvp, jvp
from microgd.transforms.jacobian import gauss_newton, hessian, jacobian
from microgd.transforms.missing import why_no_grad
from microgd.transforms.nonfinite import detect_nonfinite
from microgd.transforms.reverse import grad, stop_gradient, value_and_grad, vjp

__version__ = "0.1.0"

# Every operation makes an array. The C library of Linux gives large ones back to the system when they are freed, and
# takes the next one in again page by page, which can cost more than computing it. Once it has freed one large block it
# keeps memory of up to twice that size (mallopt(3), M_MMAP_THRESHOLD), so here is one. Elsewhere it does no harm.
_np.empty(31 << 20, dtype="u1")

__all__ = [
    "Diagnosis",
    "GradientError",
    "History",
    "Tensor",
    "array",
    "check_derivation",
    "check_vjp",
    "checkpoint",
    "data",
    "detect_nonfinite",
    "draw",
    "erf",
    "errors",
    "explain",
    "explain_step",
    "fit",
    "gauss_newton",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "load",
    "log_softmax",
    "logsumexp",
    "nn",
    "no_grad",
    "optim",
    "polygamma",
    "primitive",
    "record_lines",
    "relu",
    "save",
    "sigmoid",
    "softmax",
    "softplus",
    "stop_gradient",
    "supported",
    "tensor",
    "value_and_grad",
    "vjp",
    "vmap",
    "why_no_grad",
]

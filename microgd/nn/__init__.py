"""Building blocks of models: modules, layers and, in ``microgd.nn.functional``, losses."""

from microgd.nn import functional
from microgd.nn.layers import Linear
from microgd.nn.module import Module, Sequential

__all__ = ["Linear", "Module", "Sequential", "functional"]

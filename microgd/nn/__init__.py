"""Building blocks of models. For now: losses, in ``microgd.nn.functional``."""

from microgd.nn import functional

__all__ = ["functional"]

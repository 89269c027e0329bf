"""Optimizers with the names, defaults and trajectories of ``torch.optim``."""

from microgd.optim.optimizer import Optimizer
from microgd.optim.rules import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "Momentum", "Nesterov", "Optimizer", "RMSProp"]

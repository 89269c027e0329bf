"""Training: the descent loop, metrics, and files of models."""

from microgd.train.checkpoint import load, save
from microgd.train.loop import History, fit

__all__ = ["History", "fit", "load", "save"]

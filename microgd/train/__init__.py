"""Training: the descent loop, metrics, and files of models."""

from microgd.train.checkpoint import load, save
from microgd.train.loop import History, fit
from microgd.train.metrics import classification_scores, r2_score

__all__ = ["History", "classification_scores", "fit", "load", "r2_score", "save"]

"""Pictures of descent, with matplotlib (the ``plot`` extra). They take plain arrays and know nothing of training."""

from microgd.plots.curves import learning_curve, line_as_it_moves
from microgd.plots.surface import error_surface

__all__ = ["error_surface", "learning_curve", "line_as_it_moves"]

"""Pictures of descent, with matplotlib (the ``plot`` extra). They take plain arrays and know nothing of training."""

from microgd.plots.curves import learning_curve, line_as_it_moves
from microgd.plots.surface import error_surface
from microgd.plots.v_curve import v_curve

__all__ = ["error_surface", "learning_curve", "line_as_it_moves", "v_curve"]

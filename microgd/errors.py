"""Named exceptions: each message says what was given, where, what was expected and what to do.

Every class also derives from the built-in exception a NumPy user would expect (a wrong shape is a
``ValueError``, an unsupported call a ``TypeError``), so ``except ValueError`` keeps working. This file
knows nothing of tensors; any other file may import it.
"""


class MicrogdError(Exception):
    """Base of every exception that microgd raises on purpose."""


class ShapeError(MicrogdError, ValueError):
    """Shapes that do not fit together."""


class DtypeError(MicrogdError, TypeError):
    """A dtype that cannot be used here: integers that should require a gradient, for instance."""


class GraphError(MicrogdError, RuntimeError):
    """A backward pass that has no graph to walk, or a graph that was already freed."""


class DetachError(MicrogdError, TypeError):
    """A conversion that would lose the gradient in silence."""


class UnsupportedError(MicrogdError, TypeError):
    """A function, or an argument of one, that has no derivative rule."""


class OptionError(MicrogdError, ValueError):
    """A hyper-parameter or option outside its range."""


class NonFiniteError(MicrogdError, ArithmeticError):
    """A NaN or an infinity where a finite number was needed."""


class DataError(MicrogdError, ValueError):
    """Input data that cannot be used, with the file, row and column where that is known."""


class GradientError(MicrogdError, AssertionError):
    """A derivative that disagrees with what the numbers say."""


class DivergenceError(MicrogdError, ArithmeticError):
    """Training that moved away from the minimum instead of towards it."""

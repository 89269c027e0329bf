"""Products in which an exact zero wins, for rules whose derivatives can be infinite.

The chain rule multiplies what comes from above with a local derivative. Where nothing comes from above (an
exact zero, as from the branch that ``np.where`` did not take) the answer is zero, even if the local derivative
is infinite: so ``np.where(x > 0, np.sqrt(x), 0)`` is safe without a trick. The price, stated in the docs: an
undefined 0 times infinity from above, as in ``0 * np.sqrt(x)`` at 0, is 0 too.
"""

from typing import Any

import numpy as np

from microgd.core.box import dispatching
from microgd.core.primitive import elementwise, primitive
from microgd.core.zeros import zero_wins

ZERO = np.float64(0.0)


@dispatching
def gate(g: Any, passes: Any) -> Any:
    """``g`` where it passes, and 0 elsewhere, even if ``g`` is infinite."""
    if type(g) is np.float64 and type(passes) is np.bool_:
        return g if passes else ZERO
    if type(g) is np.ndarray and type(passes) is np.ndarray and g.dtype.char in "fd" and passes.dtype == bool:
        # -1 has all bits set and 0 has none. np.where says the same, and takes many times as long: the processor
        # guesses which branch comes next, and for a mask without a pattern guesses wrong.
        return (g.view(f"i{g.itemsize}") & -passes.view("i1")).view(g.dtype)
    return np.where(passes, g, 0)


@dispatching
def times(x: Any, y: Any) -> Any:
    """x * y, where 0 times anything is 0."""
    return zero_wins(x * y, x, y)


@dispatching
def over(x: Any, y: Any) -> Any:
    """x / y, where 0 over anything is 0."""
    return zero_wins(x / y, x)


def ratio(x: Any, y: Any) -> Any:
    """x / y, and 0 with all its derivatives where y is 0."""
    zero = np.equal(y, 0)
    return np.where(zero, 0, x / np.where(zero, 1, y))


def always(*_: Any) -> bool:
    return True


elementwise(gate, lambda g, y: gate(g, y), None)
elementwise(times, lambda g, y: times(g, y), lambda g, x: times(g, x))
elementwise(over, lambda g, y: over(g, y), lambda g, ans, y: -times(g, over(ans, y)))
for function in (gate, times, over):
    primitive(function).masks = always

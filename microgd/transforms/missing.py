"""Why a parameter got no gradient: the line where the chain of tensors broke.

Inside ``record_lines()`` every place where a value leaves the graph is noted (``.data``, ``.item()``, ``detach``, an
operation inside ``no_grad()``, a function without a derivative). Afterwards a parameter can be asked which of them cut
it off.
"""

from __future__ import annotations

from microgd.core.tape import GRAD, NotKept
from microgd.core.tensor import Tensor
from microgd.core.watch import last_cuts
from microgd.errors import GraphError
from microgd.transforms.record import reached


def why_no_grad(parameter: Tensor) -> str:
    """A sentence that says why ``parameter.grad`` is None after ``backward()``, with the line where the chain broke.

    Args:
        parameter: a leaf. The forward pass has to run inside ``with mg.record_lines():`` for lines to be known.

    Raises:
        GraphError: not a tensor.

    >>> import microgd as mg
    >>> w, x = (mg.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    >>> with mg.record_lines():
    ...     hidden = w * 5.0
    ...     loss = x * hidden.item()
    >>> loss.backward()
    >>> mg.why_no_grad(w).split(" at ")[0]
    'no gradient: the value was used, but .item() took it out of the graph'
    """
    if not isinstance(parameter, Tensor):
        raise GraphError(f"why_no_grad: expected a tensor, the parameter itself, got {type(parameter).__name__}")
    node = parameter.node
    if node is None:
        return "no gradient: this tensor does not require one; make it with requires_grad=True"
    if node[GRAD] is NotKept:
        return "no gradient: this tensor is not a leaf; call t.retain_grad() before backward() to keep its gradient"
    if node[GRAD] is not None:
        return "it has a gradient"
    cuts = last_cuts.get()
    if cuts is None:
        return (
            "no gradient, and nothing was recorded: run the forward pass inside `with mg.record_lines():` and ask again"
        )
    found = dict.fromkeys(
        f"{how} took it out of the graph" + (f" at {where.place}: {where.text}" if where else "")
        for cut, how, where in cuts
        if any(older is node for older in reached([cut]))
    )
    if found:
        return "no gradient: the value was used, but " + "; and ".join(found)
    return (
        "no gradient: nothing that backward() walked over was computed from this tensor; was backward() called, and is "
        "it used in the loss at all?"
    )

"""Print what gradient checkers find in the library of planted mistakes: ``python -m benchmarks.checkers [--seeds N]``.

Every checker gets the same functions, the same derivatives, right and wrong, and the same inputs, in the way its own
documentation tells to use it, with its own numbers. Where a checker wants a function with one number as its result, a
sum is taken, as people do. An exception counts as a refusal. Only microgd's names causes.
"""

import argparse
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from microgd.check import check_vjp, mutants

Checker = Callable[[Callable[..., Any], Callable[..., Any], Any], Any]
SCIPY_LIMIT = 1e-5  # scipy leaves the decision to the caller


def flat(f: Callable[..., Any], claimed: Callable[..., Any], x: Any) -> tuple[Any, Any, Any]:
    """The sum of ``f`` and its claimed gradient, as functions of a vector."""
    shape, ones = np.shape(x), np.ones_like(f(x))
    total = lambda v: float(np.sum(f(v.reshape(shape)[()])))
    gradient = lambda v: np.asarray(claimed(ones, v.reshape(shape)[()])).ravel()
    return total, gradient, np.ravel(x)


def scipy_check_grad() -> Checker:
    from scipy.optimize import check_grad

    return lambda f, claimed, x: check_grad(*flat(f, claimed, x)) < SCIPY_LIMIT


def scipy_approx_fprime() -> Checker:
    from scipy.optimize import approx_fprime

    def check(f: Callable[..., Any], claimed: Callable[..., Any], x: Any) -> bool:
        total, gradient, v = flat(f, claimed, x)
        return np.allclose(gradient(v), approx_fprime(v, total))

    return check


def torch_gradcheck() -> Checker:
    import torch

    def check(f: Callable[..., Any], claimed: Callable[..., Any], x: Any) -> bool:
        class Claim(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, t: Any) -> Any:
                ctx.save_for_backward(t)
                return torch.from_numpy(np.array(f(t.detach().numpy().copy()[()])))

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                (t,) = ctx.saved_tensors
                return torch.from_numpy(np.array(claimed(g.numpy()[()], t.numpy()[()])))

        t = torch.from_numpy(np.array(x)).requires_grad_()
        return torch.autograd.gradcheck(Claim.apply, (t,))

    return check


def autograd_check_grads() -> Checker:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def check(f: Callable[..., Any], claimed: Callable[..., Any], x: Any) -> bool:
        np.random.seed(0)  # noqa: NPY002  (the generator that autograd draws from)
        claim = primitive(f)
        defvjp(claim, lambda ans, x: lambda g: claimed(g, x))
        check_grads(claim, modes=["rev"], order=1)(x)
        return True

    return check


CHECKERS: dict[str, Callable[[], Checker | None]] = {
    "microgd": lambda: None,
    "microgd, one input in sight": lambda: check_vjp,
    "scipy check_grad": scipy_check_grad,
    "scipy approx_fprime, allclose": scipy_approx_fprime,
    "torch gradcheck": torch_gradcheck,
    "autograd check_grads": autograd_check_grads,
}


def guarded(checker: Checker) -> Checker:
    """An exception is a refusal."""

    def check(f: Callable[..., Any], claimed: Callable[..., Any], x: Any) -> Any:
        try:
            return checker(f, claimed, x)
        except Exception:
            return False

    return check


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkers", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="how many inputs are drawn for every task")
    parser.add_argument("--details", action="store_true", help="also list every answer of microgd's that was wrong")
    options = parser.parse_args()
    console = Console(width=150)
    console.print(describe())
    table = Table("checker", "accepted mistakes", "rejected truths", "cause right, plain", "cause right, rest")
    for name, load in CHECKERS.items():
        try:
            checker = load()
        except ImportError as error:
            table.add_row(name, f"not installed: {error.name}")
            continue
        with console.status(name):
            found = mutants.score(checker and guarded(checker), range(options.seeds))
        causes = (f"{found.plain:.1%}", f"{found.rest:.1%}") if found.asked else ("-", "-")
        accepted, rejected = len(found.accepted) / found.wrong, len(found.rejected) / found.right
        table.add_row(
            name,
            f"{accepted:.1%} ({len(found.accepted)} of {found.wrong})",
            f"{rejected:.1%} ({len(found.rejected)} of {found.right})",
            *causes,
        )
        if options.details and found.asked:
            console.print(f"[bold]{name}[/]\n{found}")
            console.print(
                "\n".join(sorted({f"{task.name} {task.causes}: {cause}" for task, _, cause in found.missed})),
                markup=False,
            )
    for column in table.columns[1:]:
        column.justify = "right"
    console.print(table)


def describe() -> str:
    """What was checked, and with which versions."""
    everything = list(mutants.tasks())
    wrong = sum(bool(task.causes) for task in everything)
    versions = []
    for package in ("numpy", "scipy", "torch", "autograd"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"no {package}")
    problems = len(mutants.LOSSES) + len(mutants.OPERATIONS)
    return (
        f"{wrong} mistakes and {len(everything) - wrong} truths about {problems} functions; "
        f"python {platform.python_version()}, {', '.join(versions)}"
    )


if __name__ == "__main__":
    main()

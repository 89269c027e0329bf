"""The rules: each optimizer's formula on flat blocks of parameters, written as in its paper.

In ``update``, ``p`` are parameters (changed in place), ``g`` their gradients, ``s`` the rule's state (changed in
place), ``t`` the number of the step from 1, and ``group`` the hyper-parameters. Names, defaults and fine print are
those of ``torch.optim``, which the tests hold to 1e-12. ``quantities`` puts the paper's names to what an update did;
the tests read its formulas back and compute them.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from microgd.errors import OptionError
from microgd.optim.optimizer import Group, Optimizer, Quantity


class SGD(Optimizer):
    """Gradient descent, with momentum if asked.

        b <- g                       at the first step
        b <- momentum b + (1 - dampening) g
        p <- p - lr b                nesterov: p - lr (g + momentum b)

    "Stochastic" names what it is fed (mini-batches), not what it does. The rate stands outside the buffer, as in
    Sutskever et al. (2013) written for PyTorch; Keras puts it inside, which differs when the rate changes.

    Args:
        params: leaf tensors, a container of them, or groups.
        lr: learning rate. momentum: share of the last step that is kept. dampening: share of g left out of the buffer.
        weight_decay: adds weight_decay * p to the gradient (an L2 penalty). nesterov: look ahead along the buffer.
        maximize: climb instead.

    Raises:
        OptionError: a value out of range, or nesterov without momentum or with dampening.

    >>> import microgd as mg
    >>> w = mg.tensor(4.0, requires_grad=True)
    >>> optimizer = mg.optim.SGD([w], lr=0.25)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w
    tensor(2., requires_grad=True)

    Source: Robbins and Monro (1951); Polyak (1964); Nesterov (1983) in the form of Sutskever et al. (2013).
    """

    symbols: ClassVar = {"momentum_buffer": "b"}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**options, "nesterov": nesterov, "maximize": maximize})

    def check(self, group: Group) -> None:
        super().check(group)
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise OptionError(
                f"{type(self).__name__}: nesterov needs momentum above 0 and dampening 0, got momentum="
                f"{group['momentum']} and dampening={group['dampening']}"
            )

    def initial_state(self, group: Group) -> dict[str, float]:
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def update(self, p: Any, g: Any, s: dict[str, Any], t: int, group: Group) -> None:
        momentum = group["momentum"]
        if momentum:
            b = s["momentum_buffer"]
            b *= momentum
            b += g if t == 1 else (1 - group["dampening"]) * g
            g = g + momentum * b if group["nesterov"] else b
        p -= group["lr"] * g

    def quantities(self, g: Any, s: dict[str, Any], t: int, group: Group) -> tuple[list[Quantity], str]:
        if not group["momentum"]:
            return [], "-lr g"
        share = "(1 - dampening) g" if group["dampening"] else "g"
        b = Quantity("b", "g" if t == 1 else f"momentum b + {share}", s["momentum_buffer"])
        if not group["nesterov"]:
            return [b], "-lr b"
        return [b, Quantity("d", "g + momentum b", g + group["momentum"] * b.value)], "-lr d"


class Momentum(SGD):
    """Heavy-ball descent: SGD with momentum 0.9.

        b <- momentum b + g
        p <- p - lr b

    Args:
        params: leaf tensors, a container of them, or groups. lr: learning rate. momentum: in [0, 1) to converge.
        weight_decay: L2 penalty. maximize: climb instead.

    Raises:
        OptionError: a value out of range.

    >>> import microgd as mg
    >>> w = mg.tensor(1.0, requires_grad=True)
    >>> mg.optim.Momentum([w], lr=0.1).defaults["momentum"]
    0.9

    Source: Polyak (1964), "Some methods of speeding up the convergence of iteration methods".
    """

    def __init__(
        self, params: Any, lr: float = 1e-3, momentum: float = 0.9, weight_decay: float = 0.0, *, maximize: bool = False
    ) -> None:
        super().__init__(params, lr, momentum, weight_decay=weight_decay, maximize=maximize)


class Nesterov(SGD):
    """Accelerated descent: SGD with momentum 0.9 that takes the gradient's look-ahead.

        b <- momentum b + g
        p <- p - lr (g + momentum b)

    Args:
        params: leaf tensors, a container of them, or groups. lr: learning rate. momentum: in (0, 1) to converge.
        weight_decay: L2 penalty. maximize: climb instead.

    Raises:
        OptionError: a value out of range.

    >>> import microgd as mg
    >>> w = mg.tensor(1.0, requires_grad=True)
    >>> mg.optim.Nesterov([w], lr=0.1).defaults["nesterov"]
    True

    Source: Nesterov (1983), in the form of Sutskever et al. (2013), "On the importance of initialization and momentum".
    """

    def __init__(
        self, params: Any, lr: float = 1e-3, momentum: float = 0.9, weight_decay: float = 0.0, *, maximize: bool = False
    ) -> None:
        super().__init__(params, lr, momentum, weight_decay=weight_decay, nesterov=True, maximize=maximize)


class AdaGrad(Optimizer):
    """A rate per parameter that shrinks with the gradients seen so far.

        S <- S + g^2
        p <- p - lr / (1 + (t - 1) lr_decay) * g / (sqrt(S) + eps)

    Args:
        params: leaf tensors, a container of them, or groups. lr: learning rate. lr_decay: shrinks it with the steps.
        weight_decay: L2 penalty. initial_accumulator_value: S at the start. eps: keeps the quotient finite.

    Raises:
        OptionError: a value out of range.

    >>> import microgd as mg
    >>> w = mg.tensor(4.0, requires_grad=True)
    >>> optimizer = mg.optim.AdaGrad([w], lr=0.5)
    >>> (w * w).backward()
    >>> optimizer.step()  # the first step has length lr, whatever the gradient
    >>> round(w.item(), 6)
    3.5

    Source: Duchi, Hazan and Singer (2011), the diagonal variant.
    """

    symbols: ClassVar = {"sum": "S"}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps}
        options["initial_accumulator_value"] = initial_accumulator_value
        super().__init__(params, {**options, "maximize": maximize})

    def initial_state(self, group: Group) -> dict[str, float]:
        return {"sum": group["initial_accumulator_value"]}

    def update(self, p: Any, g: Any, s: dict[str, Any], t: int, group: Group) -> None:
        s["sum"] += g * g
        rate = group["lr"] / (1 + (t - 1) * group["lr_decay"])
        p -= rate * g / (np.sqrt(s["sum"]) + group["eps"])

    def quantities(self, g: Any, s: dict[str, Any], t: int, group: Group) -> tuple[list[Quantity], str]:
        lr = group["lr"] / (1 + (t - 1) * group["lr_decay"])
        named = [
            Quantity("S", "S + g^2", s["sum"]),
            Quantity("lr'", "lr / (1 + (t - 1) lr_decay)", lr),
            Quantity("rate", "lr' / (sqrt(S) + eps)", lr / (np.sqrt(s["sum"]) + group["eps"])),
        ]
        return named, "-rate g"


class RMSProp(Optimizer):
    """A rate per parameter from a running mean of squared gradients.

        S <- alpha S + (1 - alpha) g^2
        M <- alpha M + (1 - alpha) g           centered: S - M^2 takes the place of S below
        b <- momentum b + g / (sqrt(S) + eps)
        p <- p - lr b

    Args:
        params: leaf tensors, a container of them, or groups. lr: learning rate. alpha: memory of the mean.
        eps: added outside the root (TensorFlow adds it inside). weight_decay: L2 penalty.
        momentum: memory of b. centered: divide by the standard deviation.

    Raises:
        OptionError: a value out of range.

    >>> import microgd as mg
    >>> w = mg.tensor(4.0, requires_grad=True)
    >>> optimizer = mg.optim.RMSProp([w], lr=0.01)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    3.9

    Source: Tieleman and Hinton (2012), lecture 6e; centered as in Graves (2013).
    """

    symbols: ClassVar = {"square_avg": "S", "grad_avg": "M", "momentum_buffer": "b"}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, {**options, "centered": centered, "maximize": maximize})

    def initial_state(self, group: Group) -> dict[str, float]:
        wanted = {"square_avg": True, "grad_avg": group["centered"], "momentum_buffer": group["momentum"]}
        return {name: 0.0 for name, keep in wanted.items() if keep}

    def update(self, p: Any, g: Any, s: dict[str, Any], t: int, group: Group) -> None:
        square, alpha = s["square_avg"], group["alpha"]
        square *= alpha
        square += (1 - alpha) * g * g
        if group["centered"]:
            s["grad_avg"] *= alpha
            s["grad_avg"] += (1 - alpha) * g
            square = np.maximum(square - s["grad_avg"] ** 2, 0)  # rounding can take a variance below 0
        g = g / (np.sqrt(square) + group["eps"])
        if group["momentum"]:
            s["momentum_buffer"] *= group["momentum"]
            s["momentum_buffer"] += g
            g = s["momentum_buffer"]
        p -= group["lr"] * g

    def quantities(self, g: Any, s: dict[str, Any], t: int, group: Group) -> tuple[list[Quantity], str]:
        square, letter = s["square_avg"], "S"
        named = [Quantity("S", "alpha S + (1 - alpha) g^2", square)]
        if group["centered"]:
            square, letter = np.maximum(square - s["grad_avg"] ** 2, 0), "V"
            named.append(Quantity("M", "alpha M + (1 - alpha) g", s["grad_avg"]))
            named.append(Quantity("V", "max(S - M^2, 0)", square))
        named.append(Quantity("rate", f"lr / (sqrt({letter}) + eps)", group["lr"] / (np.sqrt(square) + group["eps"])))
        if not group["momentum"]:
            return named, "-rate g"
        b = Quantity("b", f"momentum b + g / (sqrt({letter}) + eps)", s["momentum_buffer"])
        return [*named, b], "-lr b"


class Adam(Optimizer):
    """Momentum and a rate per parameter, both corrected for their start at zero.

        m <- beta1 m + (1 - beta1) g           v <- beta2 v + (1 - beta2) g^2
        p <- p - lr m' / (sqrt(v') + eps)      m' = m / (1 - beta1^t),  v' = v / (1 - beta2^t)

    Args:
        params: leaf tensors, a container of them, or groups. lr: learning rate, about the length of a step.
        betas: memories of the two means. eps: added after the root. weight_decay: L2 penalty.
        amsgrad: divide by the largest v so far.

    Raises:
        OptionError: a value out of range.

    >>> import microgd as mg
    >>> w = mg.tensor(4.0, requires_grad=True)
    >>> optimizer = mg.optim.Adam([w], lr=0.5)
    >>> (w * w).backward()
    >>> optimizer.step()  # the first step has length lr, whatever the gradient
    >>> round(w.item(), 6)
    3.5

    Source: Kingma and Ba (2015), algorithm 1; amsgrad: Reddi, Kale and Kumar (2018).
    """

    symbols: ClassVar = {"exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "vmax"}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**options, "amsgrad": amsgrad, "maximize": maximize})

    def initial_state(self, group: Group) -> dict[str, float]:
        largest = {"max_exp_avg_sq": 0.0} if group["amsgrad"] else {}
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0, **largest}

    def update(self, p: Any, g: Any, s: dict[str, Any], t: int, group: Group) -> None:
        m, v, (beta1, beta2) = s["exp_avg"], s["exp_avg_sq"], group["betas"]
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        if group["amsgrad"]:
            v = np.maximum(s["max_exp_avg_sq"], v, out=s["max_exp_avg_sq"])
        root = (1 - beta2**t) ** 0.5  # the paper's more efficient order, end of its section 2
        p -= group["lr"] * root / (1 - beta1**t) * m / (np.sqrt(v) + group["eps"] * root)

    def quantities(self, g: Any, s: dict[str, Any], t: int, group: Group) -> tuple[list[Quantity], str]:
        m, v, (beta1, beta2) = s["exp_avg"], s["exp_avg_sq"], group["betas"]
        c1, c2, letter = 1 - beta1**t, 1 - beta2**t, "v"
        named = [Quantity("m", "beta1 m + (1 - beta1) g", m), Quantity("v", "beta2 v + (1 - beta2) g^2", v)]
        if group["amsgrad"]:
            v, letter = s["max_exp_avg_sq"], "vmax"
            named.append(Quantity("vmax", "max(vmax, v)", v))
        named += [
            Quantity("c1", "1 - beta1^t", c1),
            Quantity("c2", "1 - beta2^t", c2),
            Quantity("m'", "m / c1", m / c1),
            Quantity("v'", f"{letter} / c2", v / c2),
            Quantity("rate", "lr / (sqrt(v') + eps)", group["lr"] / (np.sqrt(v / c2) + group["eps"])),
        ]
        return named, "-rate m'"


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameter itself: p <- (1 - lr weight_decay) p, then Adam's step.

    Args:
        params: leaf tensors, a container of them, or groups. weight_decay: share lost per unit of rate.
        The rest as in ``Adam``.

    Raises:
        OptionError: a value out of range.

    >>> import microgd as mg
    >>> w = mg.tensor(4.0, requires_grad=True)
    >>> mg.optim.AdamW([w]).defaults["weight_decay"]
    0.01

    Source: Loshchilov and Hutter (2019), "Decoupled weight decay regularization", as in PyTorch.
    """

    decoupled = True

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

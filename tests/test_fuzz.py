"""Random programs made of every function in the op table: all modes and the numbers must tell the same story.

A program is a list of rows of the table. Each step takes earlier values, brings them into the shape and the domain of
its operands by differentiable means, and adds a random projection of its result to the output, so that every step
counts.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from op_row import A, Row
from op_table import ROWS

import microgd as mg
from microgd.core.tree import leaves_of

ROOM = {"real": 0.5}
"""How far an operand may move from its random place without leaving its domain; 0.03 unless said otherwise."""


def conform(value, operand: A, base, rng):
    """Any value as an operand: its entries, picked with repetition, move a point of the domain a little."""
    entries = np.ravel(value)
    picked = entries[rng.integers(0, entries.shape[0], size=operand.shape)] if entries.shape[0] else 0.0
    return base + ROOM.get(operand.domain, 0.03) * np.tanh(picked)


def run(program: list[Row], seed: int, x, y):
    """The output of a random program: one real number."""
    rng = np.random.default_rng(seed)
    values, total = [x, y], 0.0
    for row in program:
        specs = [a for arg in row.args for a in (arg if isinstance(arg, list) else [arg]) if isinstance(a, A)]
        bases = row.draw(int(rng.integers(2**31)))
        chosen = [values[rng.integers(len(values))] for _ in specs]
        out = row(*[conform(v, a, base, rng) for v, a, base in zip(chosen, specs, bases, strict=True)])
        for part in leaves_of(out):
            total = total + np.sum(rng.normal(size=np.shape(part)) * np.real(part))
            if part.dtype.kind == "c":
                total = total + np.sum(rng.normal(size=np.shape(part)) * np.imag(part))
            if part.shape and part.size and part.dtype.kind != "c":
                values.append(part)
    return total


def slope(f, x, v):
    """Directional derivative by a four-point stencil."""
    h = 2.0**-9
    near, far = f(x + h * v) - f(x - h * v), f(x + 2 * h * v) - f(x - 2 * h * v)
    return (8 * near - far) / (12 * h)


programs = st.lists(st.sampled_from(ROWS), min_size=2, max_size=8)


@given(programs, st.integers(0, 2**31))
def test_all_modes_agree_on_random_programs(program, seed):
    f = partial(run, program, seed)
    rng = np.random.default_rng(seed)
    x, y, u, v, s, t = rng.normal(size=(6, 3))
    gx, gy = mg.grad(f, argnums=(0, 1))(x, y)
    scale = 1 + np.abs(gx).max() + np.abs(gy).max()

    leaves = [mg.tensor(a, requires_grad=True) for a in (x, y)]
    f(*leaves).backward()
    for leaf, g in zip(leaves, (gx, gy), strict=True):
        np.testing.assert_allclose(0 if leaf.grad is None else leaf.grad, g, rtol=1e-11, atol=1e-11 * scale)

    _, forward = mg.jvp(f, (x, y), (u, v))
    np.testing.assert_allclose(forward, gx @ u + gy @ v, rtol=1e-10, atol=1e-11 * scale)
    np.testing.assert_allclose(slope(lambda a: f(a, y), x, u), gx @ u, rtol=1e-6, atol=1e-6 * scale)

    gradient = mg.grad(f, argnums=(0, 1))
    _, (hu, hv) = mg.jvp(gradient, (x, y), (u, v))
    curved = 1 + np.abs(hu).max() + np.abs(hv).max()
    pulled = mg.vjp(gradient, x, y)[1]((u, v))
    for a, b in zip((hu, hv), pulled, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9 * curved)
    _, (hs, ht) = mg.jvp(gradient, (x, y), (s, t))
    np.testing.assert_allclose(hu @ s + hv @ t, hs @ u + ht @ v, rtol=1e-8, atol=1e-8 * curved)
    numeric = slope(lambda a: gradient(a, y)[0] @ s, x, u)
    exact = mg.jvp(lambda a: gradient(a, y)[0] @ s, (x,), (u,))[1]
    np.testing.assert_allclose(exact, numeric, rtol=1e-5, atol=1e-5 * curved)


@given(programs, st.integers(0, 2**31))
def test_batches_agree_with_loops_on_random_programs(program, seed):
    f = partial(run, program, seed)
    X, Y = np.random.default_rng(seed).normal(size=(2, 3, 3))
    both = mg.value_and_grad(f, argnums=(0, 1))
    out, (gx, gy) = mg.vmap(both)(X, Y)
    for k in range(3):
        value, (gxk, gyk) = both(X[k], Y[k])
        scale = 1 + np.abs(gxk).max() + np.abs(gyk).max()
        np.testing.assert_allclose(out[k], value, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(gx[k], gxk, rtol=1e-9, atol=1e-10 * scale)
        np.testing.assert_allclose(gy[k], gyk, rtol=1e-9, atol=1e-10 * scale)

"""The 60-line closure engine of the examples, held against the real one: two engines, one calculus."""

from __future__ import annotations

import gc
import importlib.util
import weakref
from pathlib import Path

import numpy as np
from hypothesis import assume, given, reject
from hypothesis import strategies as st

import microgd as mg

FILE = Path(__file__).parent.parent / "examples" / "engine_in_60_lines.py"
spec = importlib.util.spec_from_file_location(FILE.stem, FILE)
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
Number = example.Number

OPERATIONS = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x / (y y + 1)": lambda x, y: x / (y * y + 1),
    "x + 2": lambda x, y: x + 2,
    "2 + x": lambda x, y: 2 + x,
    "x - 0.5": lambda x, y: x - 0.5,
    "3 x": lambda x, y: 3 * x,
    "x / 4": lambda x, y: x / 4,
    "-x": lambda x, y: -x,
    "x ** 2": lambda x, y: x**2,
    "x ** 3": lambda x, y: x**3,
    "(x x + 1) ** -1.5": lambda x, y: (x * x + 1) ** -1.5,
    "exp(tanh(x))": lambda x, y: x.tanh().exp(),
    "tanh(x)": lambda x, y: x.tanh(),
    "relu(x)": lambda x, y: x.relu(),
}
programs = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0), st.integers(0)), min_size=1, max_size=12
)
inputs = st.lists(st.floats(-2, 2, allow_subnormal=False), min_size=1, max_size=3)


def run(program, leaves):
    """A straight-line program: each step takes two of the values so far, and the result adds up all of them.

    So values are shared and reused, and every step has a say in the result.
    """
    values = list(leaves)
    for name, i, j in program:
        values.append(OPERATIONS[name](values[i % len(values)], values[j % len(values)]))
    return sum((k % 3 - 1.5) * value for k, value in enumerate(values))


@given(programs, inputs)
def test_same_value_and_gradients_as_the_real_engine(program, xs):
    numbers = [Number(x) for x in xs]
    try:
        result = run(program, numbers)
    except OverflowError:
        reject()
    assume(abs(result.value) < 1e6)
    result.backward()

    tensors = [mg.tensor(x, requires_grad=True) for x in xs]
    expected = run(program, tensors)
    expected.backward()
    np.testing.assert_allclose(result.value, expected.item(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose([x.grad for x in numbers], [x.grad for x in tensors], rtol=1e-9, atol=1e-9)


def test_a_second_backward_starts_from_zero():
    x = Number(3.0)
    y = x * x
    z = y + y
    z.backward()
    z.backward()
    assert (x.grad, y.grad, z.grad) == (12.0, 2.0, 1.0)


def test_a_long_chain_needs_no_recursion():
    x = y = Number(1.0)
    for _step in range(50_000):
        y = y + x
    y.backward()
    assert x.grad == 50_001


def test_numbers_are_freed_by_counting_alone():
    gc.collect()
    gc.disable()
    try:
        y = (Number(2.0) * 3.0).tanh()
        y.backward()
        inner = weakref.ref(y.inputs[0])
        del y
        assert inner() is None
    finally:
        gc.enable()

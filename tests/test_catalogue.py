"""The catalogue agrees with the table, with the documentation, and with what the functions do."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
import pytest
from op_table import FLAT_FLOATS, FLAT_INTEGERS, ROWS, Row
from test_ops import derivative

import microgd as mg
from microgd.catalogue import Entry, public_name, supported, whole
from microgd.core.primitive import TABLE
from microgd.core.tree import leaves_of

ROOT = Path(__file__).parent.parent


OURS = ("numpy.", "scipy.", "microgd.", "t.", "t[")


def test_every_entry_has_its_test_row():
    tested = {public_name(row.key) for row in (*ROWS, *FLAT_FLOATS, *FLAT_INTEGERS)}
    missing = [e.name for e in whole() if e.name.startswith(OURS) and e.name not in tested]
    assert not missing, f"without a row in tests/op_table.py: {missing}"


def test_the_documentation_is_up_to_date():
    pytest.importorskip("scipy", reason="the page lists scipy.special too")
    if not hasattr(np, "matvec"):
        pytest.skip("the page lists functions that this NumPy does not have yet")
    script = "from microgd import catalogue; print(catalogue.page(), end='')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    advice = f'docs/supported.md is out of date: python -c "{script}" > docs/supported.md'
    assert done.stdout == (ROOT / "docs" / "supported.md").read_text(), advice


def test_the_catalogue_lists_every_kind_of_function_by_the_name_users_call():
    names = {e.name for e in whole()}
    assert {"numpy.sin", "numpy.linalg.inv", "numpy.add.outer", "microgd.relu", "t[i]", "t.astype"} <= names
    assert not [name for name in names if name.startswith("microgd.") and not hasattr(mg, name.split(".")[1])]
    library = [e.name for e in whole() if e.name.startswith(("numpy", "scipy", "microgd"))]  # not one's own lambdas
    assert len(set(library)) == len(library)


def test_one_entry():
    assert astuple(supported(np.maximum)) == (
        "numpy.maximum",
        "elementwise",
        "reverse, forward, batch by rule",
        "any",
        "float32, float64, complex64, complex128",
        "ties share evenly",
    )
    assert supported(np.hypot).dtypes == "float32, float64"
    assert supported(np.hypot.outer).dtypes == "float32, float64"
    assert supported(np.matmul).modes == "reverse, forward, batch by rule"
    assert supported(np.vdot if np.vdot in TABLE else np.dot).form == "composed"
    assert supported(np.floor).orders == "0 from the first on"


def test_a_function_of_ones_own_is_listed():
    def cube(x):
        return x**3

    own = mg.primitive(cube, vjps=lambda g, x: g * 3 * x**2)
    assert supported(own)
    assert supported(own).form == "general"
    assert supported(own).name in {e.name for e in whole()}
    del TABLE[own]


def test_an_unsupported_function_says_so_and_what_is_near():
    answer = supported(math.sinh)
    assert not answer
    assert answer.form == "unsupported"
    assert "sinh" in answer.notes
    assert supported(np.ndarray.byteswap).name == "numpy.ndarray.byteswap"
    assert not supported(np.frompyfunc(math.sin, 1, 1))
    assert not supported(np.vectorize(math.sin))
    with pytest.raises(mg.errors.UnsupportedError) as raised:
        np.packbits(mg.tensor(1.0, requires_grad=True))
    assert supported(np.packbits).notes == str(raised.value)


def test_it_prints_as_a_table():
    table = whole()
    lines = repr(table).splitlines()
    assert len(lines) == len(table) + 1
    assert lines[0].split() == [field.name for field in fields(Entry)]
    assert table._repr_html_().count("<tr>") == len(lines)
    assert table.markdown().splitlines()[2].startswith(f"| {table[0].name} | {table[0].form} |")
    assert str(table[0]).startswith(table[0].name + ": form ")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_complex_numbers_are_differentiated_where_the_function_takes_them(row):
    """d L(z + h v)/dh = Re <conj(g), v>, for every entry that does not say that it is for real numbers only."""
    rng = np.random.default_rng(11)
    values = [x + 0.1j * rng.uniform(-1, 1, np.shape(x)) for x in row.draw(9)]
    try:
        row.on_arrays()(*values)
    except (TypeError, np.exceptions.ComplexWarning):
        pytest.skip("NumPy does not take complex numbers here")
    if row.function != row.key:
        pytest.skip("called through a wrapper, which may be made for real numbers")
    if supported(row.key).dtypes == "float32, float64":
        pytest.skip("for real numbers only")

    def loss(*zs):
        rng = np.random.default_rng(12)
        weights = [rng.normal(size=np.shape(out)) + 1j * rng.normal(size=np.shape(out)) for out in leaves_of(row(*zs))]
        return sum(np.sum(np.real(u * out)) for u, out in zip(weights, leaves_of(row(*zs)), strict=True))

    try:
        gradients = mg.grad(loss, argnums=range(len(values)))(*values)
    except TypeError:
        pytest.skip("refused")
    directions = [0.1 * (rng.normal(size=np.shape(z)) + 1j * rng.normal(size=np.shape(z))) for z in values]
    total = sum(np.sum(np.real(np.conj(g) * v)) for g, v in zip(gradients, directions, strict=True))
    along = derivative(lambda h: loss(*[z + h * v for z, v in zip(values, directions, strict=True)]), 0.0, 1.0)
    np.testing.assert_allclose(total, along, rtol=1e-7, atol=1e-7)
    _, slope = mg.jvp(loss, tuple(values), tuple(directions))
    np.testing.assert_allclose(slope, total, rtol=1e-10, atol=1e-10)


def check_flat(row: Row, values: list, operands: list) -> None:
    out = row(*operands)
    for got, want in zip(leaves_of(out), leaves_of(row(*values)), strict=True):
        assert not (isinstance(got, mg.Tensor) and got.requires_grad)
        if row.key is np.empty_like:
            assert (got.shape, got.dtype) == (want.shape, want.dtype)
        else:
            np.testing.assert_array_equal(got.data if isinstance(got, mg.Tensor) else got, want)


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")
@pytest.mark.parametrize("row", FLAT_FLOATS, ids=str)
def test_a_flat_function_gives_numpys_value_and_no_gradient(row):
    values = row.draw(0)
    check_flat(row, values, [mg.tensor(x, requires_grad=True) for x in values])
    with_another_path = mg.grad(lambda *xs: sum(np.sum(x) for x in xs) + 0 * len(leaves_of(row(*xs))))
    np.testing.assert_array_equal(with_another_path(*values), np.ones_like(values[0]))


@pytest.mark.parametrize("row", FLAT_INTEGERS, ids=str)
def test_a_flat_function_of_integers(row):
    values = row.draw(0, int)
    check_flat(row, values, [mg.tensor(x) for x in values])

"""Where a number stopped being finite, where a chain of tensors broke, and that watching harms nobody."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import math
import pickle
import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import microgd as mg
from microgd.core.watch import watchers
from microgd.errors import DetachError, DtypeError, GraphError, NonFiniteError


def leaf(*values):
    return mg.tensor(values[0] if len(values) == 1 else list(values), requires_grad=True)


def message(run) -> str:
    with pytest.raises(NonFiniteError) as caught, mg.detect_nonfinite(), np.errstate(all="ignore"):
        run()
    return str(caught.value)


class TestDetectNonfinite:
    def test_forward_names_operation_line_ranges_and_remedy(self):
        x = leaf(3.0, 0.0, -1.0)
        said = message(lambda: np.sum(np.log(x) * 2))
        assert said.startswith("log: 2 of 3 entries of its output are -inf (the first at [1])")
        assert "test_diagnostics.py" in said
        assert "np.log(x)" in said
        assert "from -1 to 3" in said
        assert "born here" in said
        assert "log_softmax" in said

    @pytest.mark.parametrize(
        ("run", "name", "remedy"),
        [
            (lambda: np.exp(leaf(1000.0)), "exp", "logsumexp"),
            (lambda: leaf(1.0) / 0.0, "divide", "divisor"),
            (lambda: np.sqrt(leaf(-1.0)), "sqrt", "root"),
            (lambda: leaf(0.0) ** -1.0, "power", "base positive"),
            (lambda: mg.vmap(np.log)(np.array([0.0, 1.0])), "log", "logarithm"),
            (lambda: leaf(1e200) * leaf(1e200), "multiply", "learning rate"),
            (lambda: mg.grad(lambda a: np.linalg.eigh(a)[1][0, 1])(np.eye(2)), "eigh", "turn freely"),
            (lambda: mg.hessian(lambda a: np.sum(np.linalg.svdvals(a) ** 2))(np.eye(2)), "svd", "turn freely"),
            (lambda: leaf(1e200, 1.0) @ leaf(1e200, 1.0), "matmul", "learning rate"),
        ],
    )
    def test_remedies(self, run, name, remedy):
        said = message(run)
        assert said.startswith(name)
        assert remedy in said

    def test_a_sum_of_two_backward_passes(self):
        x = leaf(1.0)
        assert message(lambda: [(x * 1e308).backward() for _ in range(2)]).startswith("a leaf: ")

    def test_what_came_in_from_outside_is_told_apart(self):
        said = message(lambda: leaf(1.0, 2.0) * np.array([1.0, np.nan]))
        assert "operand 1 was not finite already" in said
        assert "1 not finite" in said

    def test_backward(self):
        x = leaf(1.0, 0.0)
        said = message(lambda: np.sum(np.sqrt(x)).backward())
        assert said.startswith("sqrt: on the way back, 1 of 2 entries of the gradient of operand 0 is inf (at [1])")
        assert "what came from above was finite" in said
        assert "np.sqrt(x)" in said

    def test_only_what_is_first_is_reported(self):
        x = leaf(0.0)
        assert message(lambda: np.exp(np.log(x) * 0.0)).startswith("log")

    def test_finite_programs_run_as_always(self):
        x = leaf(1.0, 2.0)
        with mg.detect_nonfinite():
            np.sum(np.log(x)).backward()
        np.testing.assert_array_equal(x.grad, [1, 0.5])

    def test_inside_transforms(self):
        with pytest.raises(NonFiniteError, match="log"), mg.detect_nonfinite(), np.errstate(all="ignore"):
            mg.grad(mg.grad(lambda x: np.log(x)))(0.0)

    @pytest.mark.parametrize(
        "transform",
        [
            lambda f: lambda x: mg.jvp(f, (x,), (np.ones_like(x),)),
            lambda f: mg.vmap(mg.grad(f)),
            lambda f: mg.jacobian(f, mode="reverse"),
            lambda f: mg.jacobian(f, mode="forward"),
            lambda f: mg.hessian(lambda x: np.sum(f(x))),
        ],
    )
    @pytest.mark.parametrize(
        ("function", "line", "remedy"),
        [
            (lambda x: np.log(x) * 3, "np.log(x)", "logarithm of 0"),
            (lambda x: np.sqrt(x) * 3, "np.sqrt(x)", "derivative at 0 infinite"),
        ],
    )
    def test_in_every_mode_the_users_operation_is_named(self, transform, function, line, remedy):
        said = message(lambda: transform(function)(np.array([1.0, 0.0])))
        assert said.startswith(("log: 1 of ", "sqrt: on the way back, 1 of ", "sqrt: in forward mode, 1 of "))
        assert "test_diagnostics.py" in said
        assert line in said
        assert remedy in said

    def test_a_sum_of_finite_parts(self):
        big = np.float32(2e38)
        said = message(lambda: mg.grad(lambda w: w * big + w * big)(np.float32(0.1)))
        assert said.startswith("a leaf: on the way back, 1 of 1 entries of the sum of what comes from above is inf")

        def inner(x):
            z = x * 1.0
            return z * 1.5e308 + z * 1.5e308

        said = message(lambda: mg.grad(inner)(0.1))
        assert said.startswith("multiply: on the way back")
        assert "x * 1.0" in said

    def test_in_forward_mode_operands_and_tangents_are_told_apart(self):
        said = message(lambda: mg.jvp(np.sqrt, (np.array([0.0, 4.0]),), (np.array([7.0, 8.0]),)))
        assert "operand 0: shape (2,), from 0 to 4" in said
        assert "its tangent 0: shape (2,), from 7 to 8" in said

    def test_a_rule_that_is_transposed_does_not_speak_for_itself(self):
        root = mg.primitive(lambda x: np.sqrt(x), vjps=lambda g, x: g * 0.5 / np.sqrt(x))
        assert message(lambda: mg.jvp(root, (0.0,), (1.0,))).startswith("<lambda>: in forward mode")
        assert message(lambda: mg.jvp(np.linalg.eigh, (np.eye(2),), (np.ones((2, 2)),))).startswith("eigh_packed")

    def test_closed_from_another_thread_nobody_watches_any_more(self):
        def watched():
            with mg.detect_nonfinite():
                yield

        generator, failed = watched(), []

        def close():
            try:
                generator.close()
            except ValueError as error:  # a context variable belongs to the context that set it
                failed.append(error)

        def run():
            next(generator)
            closer = threading.Thread(target=close)
            closer.start()
            closer.join()

        contextvars.copy_context().run(run)
        assert len(failed) == 1
        assert watchers == []

    def test_only_the_second_derivative(self):
        said = message(lambda: mg.hessian(lambda x: np.sum(x**1.5 * 3))(np.array([1.0, 0.0])))
        assert said.startswith("power: on the way back, 1 of 4 entries of the gradient of operand 0 is inf (at [1, 1])")
        assert "x**1.5" in said

    def test_nothing_is_left_behind_and_other_threads_are_not_watched(self):
        failed = []

        def elsewhere():
            try:
                with np.errstate(all="ignore"):
                    np.log(leaf(0.0))
            except NonFiniteError as error:
                failed.append(error)

        def both():
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            np.log(leaf(0.0))

        assert message(both).startswith("log")
        assert not failed
        assert not watchers
        elsewhere()
        assert not failed


class TestWhyNoGrad:
    @pytest.mark.parametrize(
        ("leave", "said"),
        [
            (lambda h: h.data * 1.0, ".data"),
            (lambda h: h.item(), ".item()"),
            (lambda h: h.numpy(), ".numpy()"),
            (lambda h: h.detach(), "detach()"),
            (lambda h: mg.stop_gradient(h), "stop_gradient()"),
            (lambda h: np.floor(h), "floor"),
            (lambda h: 1.0 * (h > 0), "greater"),
        ],
    )
    def test_names_the_line_where_the_chain_broke(self, leave, said):
        w, x = leaf(2.0), leaf(3.0)
        with mg.record_lines():
            hidden = w * 5.0
            gone = leave(hidden)
            loss = x * gone
        loss.backward()
        answer = mg.why_no_grad(w)
        assert said in answer
        assert "test_diagnostics.py" in answer
        assert x.grad is not None
        assert mg.why_no_grad(x) == "it has a gradient"
        with pytest.raises(GraphError, match="expected a tensor, the parameter itself, got NoneType"):
            mg.why_no_grad(None)

    def test_no_grad(self):
        w, x = leaf(2.0), leaf(3.0)
        with mg.record_lines():
            with mg.no_grad():
                hidden = w * 5.0
            (x * hidden).backward()
        assert "no_grad() took it out" in mg.why_no_grad(w)
        assert "w * 5.0" in mg.why_no_grad(w)

    def test_never_used(self):
        w, x = leaf(2.0), leaf(3.0)
        with mg.record_lines():
            (x * 2).backward()
        assert "is it used in the loss at all" in mg.why_no_grad(w)

    def test_other_answers(self):
        assert "requires_grad=True" in mg.why_no_grad(mg.tensor(1.0))
        assert "retain_grad" in mg.why_no_grad(leaf(1.0) * 2)

    def test_without_a_recording_it_says_how_to_make_one(self):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(mg.why_no_grad(leaf(1.0))))
        thread.start()  # a context of its own, in which nothing was ever recorded
        thread.join()
        assert "record_lines" in answers[0]


class TestNoSilentDetach:
    """Each of these works, or raises with the way to write it; none of them loses a gradient unnoticed."""

    @pytest.mark.parametrize(
        "leave",
        [np.asarray, np.array, float, int, math.sin, copy.deepcopy, pickle.dumps, lambda t: np.array([t, t])],
        ids=["asarray", "array", "float", "int", "math.sin", "deepcopy", "pickle", "list in np.array"],
    )
    @pytest.mark.parametrize("kind", ["computed", "grad", "jvp"])
    def test_refused_in_every_mode(self, leave, kind):
        def f(x):
            leave(x * 2.0)
            return x

        run = {
            "computed": lambda: f(leaf(1.0)),
            "grad": lambda: mg.grad(f)(1.0),
            "jvp": lambda: mg.jvp(f, (1.0,), (1.0,)),
        }[kind]
        with pytest.raises(DetachError, match=r"np\.stack|only leaves"):
            run()

    def test_random_numbers_refuse_tensors(self):
        with pytest.raises(DetachError):
            np.random.default_rng(0).normal(leaf(1.0) * 2)
        with pytest.raises(DetachError):
            random.Random(0).gauss(leaf(1.0) * 2, 1.0).real.__float__()

    def test_in_place_ufuncs(self):
        array = np.zeros(2)
        with pytest.raises(DetachError, match="out="):
            np.add(array, leaf(1.0, 2.0), out=array)
        with pytest.raises(DetachError, match="out="):
            array += leaf(1.0, 2.0)
        with pytest.raises(DetachError, match="out="):
            np.cumsum(leaf(1.0, 2.0), out=array)
        with pytest.raises(DetachError, match="out="):
            leaf(1.0, 2.0).sum(axis=0, out=array[0])
        assert not array.any()


def test_recording_follows_asyncio_tasks():
    async def recorded():
        with mg.record_lines():
            await asyncio.sleep(0)
            t = leaf(1.0) * 2
            await asyncio.sleep(0)
        return t.node

    async def not_recorded():
        await asyncio.sleep(0)
        t = leaf(1.0) * 2
        await asyncio.sleep(0)
        return t.node

    async def both():
        return await asyncio.gather(recorded(), not_recorded())

    one, other = asyncio.run(both())
    origin = one[5]
    assert origin.text == "leaf(1.0) * 2"
    assert "test_diagnostics.py" in origin.place
    assert other[5] is None


def test_files_beside_the_package_are_not_of_the_package(tmp_path):
    """Their names may begin like its folder's."""
    copy_of_package = tmp_path / "microgd"
    shutil.copytree(Path(mg.__file__).parent, copy_of_package, ignore=shutil.ignore_patterns("__pycache__"))
    program = tmp_path / "microgd_play.py"
    program.write_text(
        "import numpy as np, microgd as mg\n"
        "def loss(x):\n"
        "    return np.log(x)\n"
        "with mg.detect_nonfinite():\n"
        "    loss(mg.tensor(0.0, requires_grad=True))\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, cwd=tmp_path)
    assert "at microgd_play.py:3 in loss" in done.stderr, done.stderr


def test_advice_for_a_function_of_another_library():
    with pytest.raises(DetachError, match=r"np\.sin instead of math\.sin"):
        math.sin(mg.tensor(1.0, requires_grad=True))
    assert "NumPy's or microgd's sin has one" in str(mg.supported(math.sin))
    with pytest.raises(DtypeError, match=r"Write 3\.0 instead of 3"):
        mg.grad(lambda x: x**2)(3)


def test_a_graph_that_shares_much_is_walked_once():
    t = mg.tensor(1.0, requires_grad=True)
    doubled = t
    with mg.record_lines():
        for _ in range(60):
            doubled = doubled + doubled
        loss = t * doubled.detach()
    assert "d doubled/d t" in str(mg.explain(doubled))
    loss.backward()
    with mg.record_lines():
        other = mg.tensor(1.0, requires_grad=True)
        chain = other
        for _ in range(60):
            chain = chain + chain
        chain.detach()
    assert "took it out" in mg.why_no_grad(other)


def test_a_cut_somewhere_else_is_not_blamed():
    w, unused = (mg.tensor(2.0, requires_grad=True) for _ in range(2))
    with mg.record_lines():
        loss = w * (w * w).detach()
    loss.backward()
    assert "is it used in the loss at all?" in mg.why_no_grad(unused)


def test_no_grad_is_named_around_functions_of_several():
    w = mg.tensor([2.0], requires_grad=True)
    with mg.record_lines(), mg.no_grad():
        np.concatenate([w, w])
    assert "no_grad() took it out" in mg.why_no_grad(w)


def test_operands_that_are_not_finite_are_counted():
    with (
        pytest.raises(NonFiniteError, match=r"operand 0: shape \(2,\), from 1 to 1, 1 not finite"),
        mg.detect_nonfinite(),
    ):
        mg.tensor([1.0, np.inf], requires_grad=True) * 2

"""The descent loop, metrics, and files that cannot run code."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import stat
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgd as mg
from microgd.errors import DataError, DivergenceError, DtypeError, NonFiniteError, OptionError, ShapeError
from microgd.nn.functional import mse_loss
from microgd.train.metrics import classification_scores, r2_score
from microgd.train.regression import closed_form, curvature

x = np.linspace(0, 1, 20)
y = 3 * x + 1


def line(lr=0.1, rule=mg.optim.SGD):
    m, b = mg.tensor(0.0, requires_grad=True), mg.tensor(0.0, requires_grad=True)
    return (lambda x: m * x + b), rule([m, b], lr=lr), m, b


class TestLoop:
    def test_full_batch_is_the_textbook_loop(self):
        model, optimizer, m, b = line()
        history = mg.fit(model, (x, y), mse_loss, optimizer, epochs=50)
        slope = intercept = 0.0
        losses = []
        for _ in range(50):
            error = slope * x + intercept - y
            losses.append(np.mean(error**2))
            slope, intercept = slope - 0.1 * np.mean(2 * error * x), intercept - 0.1 * np.mean(2 * error)
        losses.append(np.mean((slope * x + intercept - y) ** 2))
        np.testing.assert_allclose(history.losses, losses, rtol=1e-12)
        np.testing.assert_allclose([m.item(), b.item()], [slope, intercept], rtol=1e-12)
        assert (history.epochs, history.steps) == (50, 50)

    @pytest.mark.parametrize(("size", "steps"), [(1, 20), (3, 7), (20, 1), (99, 1), (None, 1)])
    def test_every_row_is_used_once_an_epoch(self, size, steps):
        seen = []

        def model(rows):
            if mg.tensor(0.0, requires_grad=True).__mul__(2.0).requires_grad:  # recording: a step, not a measurement
                seen.append(rows)
            return m * rows + b

        _, optimizer, m, b = line(lr=0.01)
        history = mg.fit(model, (x, y), mse_loss, optimizer, epochs=2, batch_size=size)
        assert history.steps == 2 * steps
        assert [len(rows) for rows in seen[:steps]] == [min(size or 20, 20)] * (steps - 1) + [
            20 - min(size or 20, 20) * (steps - 1)
        ]
        for epoch in (seen[:steps], seen[steps : 2 * steps]):
            np.testing.assert_allclose(np.sort(np.concatenate(epoch)), x)
        if steps > 1:
            assert not np.array_equal(np.concatenate(seen[:steps]), np.concatenate(seen[steps : 2 * steps]))

    def test_the_seed_decides_the_order(self):
        runs = []
        for seed in (1, 1, 2):
            model, optimizer, _, _ = line()
            runs.append(mg.fit(model, (x, y), mse_loss, optimizer, epochs=3, batch_size=4, seed=seed).losses)
        assert runs[0] == runs[1]
        assert runs[0] != runs[2]

    def test_stops_when_nothing_changes(self):
        model, optimizer, _, _ = line(lr=0.5)
        history = mg.fit(model, (x, y), mse_loss, optimizer, epochs=100_000, tolerance=1e-6, patience=3)
        assert history.epochs < 2000
        assert "converged" in history.stopped
        assert len(history.losses) == history.epochs + 1

    def test_divergence_names_the_step(self):
        model, optimizer, _, _ = line(lr=2.0)
        with pytest.raises(DivergenceError, match=r"grew from 7\.\d+ to .* by step 10 \(epoch 10\)"):
            mg.fit(model, (x, y), mse_loss, optimizer, epochs=1000)
        model, optimizer, _, _ = line(lr=1e300)
        with pytest.raises(DivergenceError, match="step"):
            mg.fit(model, (x, y), mse_loss, optimizer, epochs=1000)

    def test_a_short_run_that_ends_higher_is_a_divergence(self):
        model, optimizer, _, _ = line(lr=5.0)
        with pytest.raises(DivergenceError, match="by step 2"):
            mg.fit(model, (x, y), mse_loss, optimizer, epochs=2)

    def test_starting_at_the_minimum_is_no_divergence(self):
        model, optimizer, m, b = line(lr=0.1, rule=mg.optim.Adam)
        m.data, b.data = 3.0, 1.0
        noisy = y + np.random.default_rng(0).normal(0, 0.1, 20)
        mg.fit(model, (x, noisy), mse_loss, optimizer, epochs=200, batch_size=5)

    def test_refusals(self):
        model, optimizer, _, _ = line()
        with pytest.raises(ShapeError, match="20 rows of inputs but 19 targets"):
            mg.fit(model, (x, y[:19]), mse_loss, optimizer, epochs=1)
        for wrong in ({"epochs": 0}, {"batch_size": 0}, {"patience": 0}, {"epochs": 2.5}, {"epochs": "3"}):
            with pytest.raises(OptionError, match=f"{next(iter(wrong))} must be a whole number, at least 1"):
                mg.fit(model, (x, y), mse_loss, optimizer, **{"epochs": 1, **wrong})
        with pytest.raises(OptionError, match="seed must be a whole number, at least 0; got -1"):
            mg.fit(model, (x, y), mse_loss, optimizer, epochs=1, seed=-1)
        with pytest.raises(DataError, match="no rows"):
            mg.fit(model, ([], []), mse_loss, optimizer, epochs=1)

    @pytest.mark.parametrize("size", [None, 5])
    def test_a_loss_that_cannot_be_followed_is_named(self, size):
        model, optimizer, _, _ = line()
        for maker, loss, kind in (
            (model, lambda p, t: (p - t) ** 2, r"Tensor of shape \(\d+,\)"),
            (model, lambda p, t: mse_loss(p, t) * 1j, "dtype complex128"),
            (lambda rows: rows * 2, mse_loss, "a float64 of shape"),
        ):
            with pytest.raises(OptionError, match=f"one real number, .* got .*{kind}"):
                mg.fit(maker, (x, y), loss, optimizer, epochs=1, batch_size=size)

    def test_lists_are_data(self):
        runs = []
        for data in ((x, y), (x.tolist(), y.tolist())):
            model, optimizer, _, _ = line()
            runs.append(mg.fit(model, data, mse_loss, optimizer, epochs=3, batch_size=2).losses)
        assert runs[0] == runs[1]

    def test_an_optimizer_of_other_parameters_is_found_out(self):
        model, _, _, _ = line()
        _, stranger, _, _ = line()
        with pytest.raises(OptionError, match="depends on no parameter of the optimizer"):
            mg.fit(model, (x, y), mse_loss, stranger, epochs=5)

    @pytest.mark.parametrize("size", [None, 5])
    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_what_is_not_finite_from_the_start_is_not_blamed_on_the_rate(self, size, bad):
        model, optimizer, _, _ = line()
        with pytest.raises(NonFiniteError, match="before the first step; look for NaN"):
            mg.fit(model, (x, np.where(x > 0.5, bad, y)), mse_loss, optimizer, epochs=5, batch_size=size)

    def test_a_start_at_the_minimum_may_end_higher(self):
        model, optimizer, m, b = line(lr=0.5, rule=mg.optim.AdaGrad)
        m.data, b.data = 3.0, 1.0 + 1e-9
        history = mg.fit(model, (x, y), mse_loss, optimizer, epochs=5, batch_size=1)
        assert history.losses[-1] > 2 * history.losses[0]

    def test_climbing_is_no_divergence_but_falling_then_is(self):
        model, _, m, b = line()
        climber = mg.optim.SGD([m, b], lr=0.1, maximize=True)
        assert mg.fit(model, (x, y), lambda p, t: -mse_loss(p, t), climber, epochs=50).losses[-1] > -0.3
        _, _, m, b = line()
        climber = mg.optim.SGD([m, b], lr=2.0, maximize=True)
        with pytest.raises(DivergenceError, match="the loss fell from"):
            mg.fit(lambda rows: m * rows + b, (x, y), lambda p, t: -mse_loss(p, t), climber, epochs=50)

    def test_a_loss_that_swings_has_not_grown(self):
        w = mg.tensor(1.0, requires_grad=True)
        flat = mg.optim.SGD([w], lr=1.0)  # at 2 / curvature, to a rounding: from one side of the valley to the other
        with pytest.raises(DivergenceError, match=r"the loss swings and stays at 1 by step 1\d .*rate is too high"):
            mg.fit(lambda rows: w * rows, (np.ones(4), np.zeros(4)), swinging, flat, epochs=100)


def swinging(prediction, target):
    """A bowl that is a little too steep for a rate of 1."""
    return mse_loss(prediction, target) * (1 + 1e-9)


class TestRegression:
    @given(st.integers(0, 10_000), st.booleans(), st.floats(0, 2))
    def test_curvature_bounds_every_second_derivative(self, seed, logistic, l2):
        rng = np.random.default_rng(seed)
        rows, labels = rng.normal(size=(12, 3)), rng.integers(0, 2, 12).astype(float)
        loss = mg.nn.functional.binary_cross_entropy_with_logits if logistic else mse_loss

        def f(p):
            return loss(rows @ p[1:] + p[0], labels) + l2 * np.sum(p[1:] ** 2)

        point = rng.normal(size=4)
        columns = [mg.grad(lambda p, k=k: mg.grad(f)(p)[k])(point) for k in range(4)]
        assert np.linalg.eigvalsh(np.array(columns))[-1] <= curvature(rows, logistic, l2, 12) * (1 + 1e-9)

    @given(st.integers(0, 10_000), st.floats(0, 2))
    def test_closed_form_has_zero_gradient(self, seed, l2):
        rng = np.random.default_rng(seed)
        rows, target = rng.normal(2, 3, size=(15, 3)), rng.normal(size=15)
        g = mg.grad(lambda p: mse_loss(rows @ p[1:] + p[0], target) + l2 * np.sum(p[1:] ** 2))
        np.testing.assert_allclose(g(closed_form(rows, target, l2)), 0, atol=1e-10)


class TestMetrics:
    @given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=50))
    def test_against_sklearn(self, pairs):
        from sklearn import metrics

        said, true = (np.array(column).astype(int) for column in zip(*pairs, strict=True))
        scores = classification_scores(said, true)
        assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(true, said))
        assert scores["precision"] == pytest.approx(metrics.precision_score(true, said, zero_division=0))
        assert scores["recall"] == pytest.approx(metrics.recall_score(true, said, zero_division=0))
        assert scores["F1"] == pytest.approx(metrics.f1_score(true, said, zero_division=0))

    def test_r2(self):
        assert r2_score(y, y) == 1.0
        assert r2_score(np.full(20, y.mean()), y) == pytest.approx(0.0)
        assert r2_score(-y, y) < 0
        assert [r2_score(f, [3.0, 3.0]) for f in ([3.0, 3.0], [1.0, 2.0])] == [1.0, 0.0]
        whole = np.array([16, 2, 3], np.uint8)
        assert r2_score(whole, whole - 2) == r2_score(whole.astype(float), whole - 2.0)

    def test_refusals(self):
        with pytest.raises(ShapeError, match="r2_score: prediction has shape"):
            r2_score(np.ones((3, 1)), np.ones(3))
        with pytest.raises(ShapeError, match="classification_scores"):
            classification_scores([1], [0, 1, 0])
        for labels in ([1, 2], [-1, 1], [0.2, 0.9], [0, np.nan]):
            with pytest.raises(OptionError, match="expected labels 0 and 1"):
                classification_scores(labels, [0, 1])


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.text(max_size=5)
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(0, 9)), inner, max_size=3),
    ),
    max_leaves=8,
)


class TestFiles:
    @given(trees)
    def test_what_was_saved_is_loaded(self, tmp_path_factory, tree):
        path = tmp_path_factory.mktemp("saved") / "t.npz"
        mg.save(path, tree)
        assert mg.load(path) == tree

    def test_arrays_tensors_and_dtypes(self, tmp_path):
        tree = {"a": np.arange(3, dtype=np.float32), "s": np.float64(2), "t": mg.tensor([1.0, 2.0], requires_grad=True)}
        mg.save(tmp_path / "t.npz", tree)
        back = mg.load(tmp_path / "t.npz")
        assert back["a"].dtype == np.float32
        np.testing.assert_array_equal(back["a"], tree["a"])
        assert back["s"] == 2.0
        assert back["t"].requires_grad
        np.testing.assert_array_equal(back["t"].data, [1, 2])

    def test_an_optimizer_resumes_bit_for_bit_through_a_file(self, tmp_path):
        model, optimizer, m, b = line(rule=mg.optim.Adam)
        mg.fit(model, (x, y), mse_loss, optimizer, epochs=5)
        mg.save(tmp_path / "run.npz", {"parameters": [m, b], "optimizer": optimizer.state_dict()})
        mg.fit(model, (x, y), mse_loss, optimizer, epochs=5)
        saved = mg.load(tmp_path / "run.npz")
        m2, b2 = saved["parameters"]
        resumed = mg.optim.Adam([m2, b2])
        resumed.load_state_dict(saved["optimizer"])
        mg.fit(lambda x: m2 * x + b2, (x, y), mse_loss, resumed, epochs=5)
        assert (m2.item(), b2.item()) == (m.item(), b.item())

    def test_refusals(self, tmp_path):
        with pytest.raises(DtypeError, match=r"\['f'\] is a function"):
            mg.save(tmp_path / "t.npz", {"f": lambda: 0})
        with pytest.raises(DtypeError, match="ndarray"):
            mg.save(tmp_path / "t.npz", np.array([object()]))
        assert not list(tmp_path.iterdir()), "nothing is left behind"
        with pytest.raises(DataError, match="No such file"):
            mg.load(tmp_path / "absent.npz")
        with pytest.raises(DataError, match="cannot be read: Is a directory"):
            mg.load(tmp_path)
        (tmp_path / "text.npz").write_text("hello")
        with pytest.raises(DataError, match="not a file written by"):
            mg.load(tmp_path / "text.npz")
        np.savez(tmp_path / "other.npz", a=np.ones(2))
        with pytest.raises(DataError, match="not a file written by"):
            mg.load(tmp_path / "other.npz")

    def test_what_would_not_come_back_is_refused(self, tmp_path):
        bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
        ring = []
        ring.append(ring)
        deep = []
        for _ in range(100_000):
            deep = [deep]
        for obj, message in (
            (ring, "holds itself"),
            (deep, "nested too deeply"),
            ({"m": np.ma.masked_array([1, 2], [0, 1])}, r"\['m'\] is a MaskedArray .* without a mask"),
            ([np.ones(2, bfloat16)], r"\[0\] is a ndarray of dtype bfloat16"),
            ([np.float64(1).astype(bfloat16)], r"\[0\] is a bfloat16"),
        ):
            with pytest.raises(DtypeError, match=message):
                mg.save(tmp_path / "t.npz", obj)
        assert not list(tmp_path.iterdir())
        for dtype in ("datetime64[s]", "S3", ">i2", [("a", "f8"), ("b", "i4", 2)], "complex64", "longdouble"):
            array = np.zeros(2, dtype)
            mg.save(tmp_path / "t.npz", array)
            assert mg.load(tmp_path / "t.npz").dtype == array.dtype

    def test_damage_anywhere_is_one_error(self, tmp_path):
        path = tmp_path / "t.npz"
        mg.save(path, {"w": np.arange(4.0), "t": (1, "a")})
        sound = path.read_bytes()
        for k in range(len(sound)):
            path.write_bytes(sound[:k] + bytes([sound[k] ^ 0xFF]) + sound[k + 1 :])
            with contextlib.suppress(DataError):  # a byte that nothing depends on may be any
                mg.load(path)
        np.savez(path, structure=np.array("[" * 100_000 + "]" * 100_000))
        with pytest.raises(DataError, match=r"t\.npz: not a file written by mg\.save, or damaged$"):
            mg.load(path)

    def test_a_file_keeps_its_permissions_and_links(self, tmp_path):
        secret, link = tmp_path / "secret.npz", tmp_path / "link.npz"
        secret.touch(0o600)
        link.symlink_to(secret)
        mg.save(link, [1])
        assert link.is_symlink()
        assert mg.load(secret) == [1]
        assert secret.stat().st_mode & 0o777 == 0o600
        old = os.umask(0o027)
        try:
            mg.save(tmp_path / "new.npz", [1])
        finally:
            os.umask(old)
        assert (tmp_path / "new.npz").stat().st_mode & 0o777 == 0o640
        mg.save(tmp_path / ("n" * 251 + ".npz"), [1])
        assert len(list(tmp_path.iterdir())) == 4, "no temporary file stays"

    def test_a_pipe_is_written_to(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE) as reader:
            mg.save(tmp_path / "pipe", [1])
            (tmp_path / "t.npz").write_bytes(reader.communicate(timeout=30)[0])
        assert mg.load(tmp_path / "t.npz") == [1]
        assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)

    def test_errors_of_writing_name_the_file_that_was_asked_for(self, tmp_path):
        for path in (tmp_path / "absent" / "t.npz", tmp_path, tmp_path / ("n" * 300)):
            with pytest.raises(OSError, match=re.escape(repr(str(path)))):
                mg.save(path, [1])

    def test_a_file_that_would_run_code_is_refused(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (os.mkdir, (str(tmp_path / "ran"),))

        (tmp_path / "bomb.npz").write_bytes(pickle.dumps(Bomb()))
        np.savez(tmp_path / "bomb2.npz", structure=np.array([Bomb()], dtype=object))
        (tmp_path / "ran").rmdir() if (tmp_path / "ran").exists() else None
        for name in ("bomb.npz", "bomb2.npz"):
            with pytest.raises(DataError):
                mg.load(tmp_path / name)
        assert not (tmp_path / "ran").exists()

    def test_a_failed_write_leaves_the_old_file(self, tmp_path):
        mg.save(tmp_path / "t.npz", [1])
        with pytest.raises(DtypeError):
            mg.save(tmp_path / "t.npz", [1, object()])
        assert mg.load(tmp_path / "t.npz") == [1]

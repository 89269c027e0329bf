"""The command line as a user meets it: real processes on real files."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import microgd as mg

HOURS = Path(__file__).parents[2] / "shared" / "data" / "hours_scores.csv"


def microgd(*args, cwd, status=0):
    """Run the command; stdout on success, stderr on failure, and never a traceback."""
    command = [sys.executable, "-W", "error", "-m", "microgd.cli", *map(str, args)]
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stderr


def cells(printed: str, label: str) -> list[str]:
    """The numbers of one row of the printed table."""
    row = next(line for line in printed.splitlines() if line.strip("│ ").startswith(label))
    return row.replace("│", " ").split()[len(label.split()) :]


def write(path: Path, rows, header=None) -> Path:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(([header] if header else []) + [list(row) for row in rows])
    return path


def dataset(path: Path, loader) -> Path:
    data = loader()
    names = [*data.feature_names, "target"]
    return write(path, np.column_stack([data.data, data.target]), names)


# A process that was itself started in the background ignores interrupts, and so would its children.
INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("microgd.cli", run_name="__main__")
"""


class TestFit:
    def test_bundled_set(self, tmp_path):
        printed = microgd("fit", cwd=tmp_path)
        assert "made from a seed" in printed
        for label in ("intercept", "hours"):
            descent, closed = map(float, cells(printed, label))
            assert descent == pytest.approx(closed, abs=1e-3)
        folder = tmp_path / "microgd-fit"
        assert {p.name for p in folder.iterdir()} == {
            "learning_curve.png",
            "line.png",
            "surface.png",
            "model.npz",
            "settings.json",
            "history.csv",
        }
        assert all(p.read_bytes().startswith(b"\x89PNG") for p in folder.glob("*.png"))
        with open(folder / "history.csv") as file:
            history = list(csv.DictReader(file))
        assert list(history[0]) == ["epoch", "loss", "intercept", "hours"]
        assert [float(history[0][k]) for k in ("intercept", "hours")] == pytest.approx([0, 0], abs=1e-12)
        assert float(history[-1]["hours"]) == pytest.approx(float(cells(printed, "hours")[0]), abs=1e-4)
        settings = json.loads((folder / "settings.json").read_text())
        assert settings["optimizer"] == "sgd"
        assert settings["features"] == ["hours"]

    @pytest.mark.skipif(not HOURS.exists(), reason=f"the public hours-and-scores file is not at {HOURS}")
    def test_the_well_known_run(self, tmp_path):
        options = ["--lr", "1e-4", "--no-standardise", "--epochs", 1000, "--tolerance", 0, "--initial", "0,0"]
        printed = microgd("fit", HOURS, *options, cwd=tmp_path)
        assert "5565.1078 at the start, 112.6148 at the end" in printed
        assert cells(printed, "intercept")[0] == "0.0889"
        assert cells(printed, "column 1")[0] == "1.4777"
        assert "1000 steps" in printed

    def test_breast_cancer_with_defaults(self, tmp_path):
        from sklearn.datasets import load_breast_cancer

        printed = microgd("fit", dataset(tmp_path / "cancer.csv", load_breast_cancer), cwd=tmp_path)
        assert "logistic regression of target, 569 rows" in printed
        for metric in ("accuracy", "precision", "recall", "F1"):
            assert float(cells(printed, metric)[0]) > 0.97

    def test_diabetes_with_defaults(self, tmp_path):
        from sklearn.datasets import load_diabetes
        from sklearn.linear_model import LinearRegression

        data = load_diabetes()
        printed = microgd("fit", dataset(tmp_path / "diabetes.csv", load_diabetes), cwd=tmp_path)
        best = LinearRegression().fit(data.data, data.target)
        assert float(cells(printed, "R2")[0]) == pytest.approx(best.score(data.data, data.target), abs=2e-3)
        for name, coefficient in zip(data.feature_names, best.coef_, strict=True):
            assert float(cells(printed, name)[1]) == pytest.approx(coefficient, rel=1e-4)

    @pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"])
    @pytest.mark.parametrize("batch", ["full", "20"])
    def test_every_optimizer_finds_the_line(self, tmp_path, optimizer, batch):
        options = ["--optimizer", optimizer, "--batch-size", batch, "--epochs", 300]
        printed = microgd("fit", *options, cwd=tmp_path)
        assert float(cells(printed, "R2")[0]) > 0.815

    def test_standardised_or_not_the_answer_is_the_same(self, tmp_path):
        rng = np.random.default_rng(0)
        x = rng.normal(3, 1, (200, 2))
        data = write(
            tmp_path / "d.csv", np.column_stack([x, x @ [2.0, -1.0] + 0.5 + rng.normal(0, 0.1, 200)]), ["a", "b", "y"]
        )
        runs = [
            microgd("fit", data, *options, cwd=tmp_path) for options in ([], ["--no-standardise", "--epochs", 20000])
        ]
        for name in ("intercept", "a", "b"):
            assert float(cells(runs[0], name)[0]) == pytest.approx(float(cells(runs[1], name)[0]), abs=2e-3)

    def test_l2_matches_its_closed_form(self, tmp_path):
        printed = microgd("fit", "--l2", 0.5, cwd=tmp_path)
        descent, closed = map(float, cells(printed, "hours"))
        assert descent == pytest.approx(closed, abs=1e-3)
        assert closed < 4.0, "the penalty shrinks the slope"

    def test_columns_can_be_chosen(self, tmp_path):
        data = write(tmp_path / "d.csv", [(1, 2, 3), (2, 4, 5), (3, 5, 9), (4, 9, 9)], ["a", "b", "c"])
        printed = microgd("fit", data, "--target", "a", "--features", "c", cwd=tmp_path)
        assert "regression of a" in printed
        assert "│ b" not in printed
        assert "regression of b" in microgd("fit", data, "--target", 2, cwd=tmp_path)

    def test_columns_that_are_not_used_may_hold_text(self, tmp_path):
        data = write(tmp_path / "d.csv", [("ann", 1, 3), ("bob", 2, 5), ("cy", 3, 8)], ["name", "x", "y"])
        printed = microgd("fit", data, "--features", "x", cwd=tmp_path)
        assert float(cells(printed, "x")[1]) == 2.5
        new = write(tmp_path / "n.csv", [("dan", 4, "")], ["name", "x", "y"])
        printed = microgd("predict", "microgd-fit/model.npz", new, cwd=tmp_path)
        assert float(printed.split()[1]) == pytest.approx(31 / 3, rel=1e-3)

    def test_names_are_printed_as_they_are(self, tmp_path):
        data = write(tmp_path / "d.csv", [(1, 2), (2, 4), (3, 7)], ["petal [cm]", "[red]y"])
        printed = microgd("fit", data, "-o", "[bold]", cwd=tmp_path)
        assert "regression of [red]y, 3 rows" in printed
        assert "petal [cm]" in printed
        assert "Written to [bold]/" in printed

    def test_two_rows_are_a_line_and_two_values_are_classes(self, tmp_path):
        two = write(tmp_path / "two.csv", [(1, 1), (2, 3)], ["x", "y"])
        assert "linear regression" in microgd("fit", two, cwd=tmp_path)
        many = write(tmp_path / "many.csv", [(1, 1), (2, 3), (3, 1), (4, 3)], ["x", "y"])
        assert "the target has two values; --model linear fits a line" in microgd("fit", many, cwd=tmp_path)
        assert "linear regression" in microgd("fit", many, "--model", "linear", cwd=tmp_path)

    def test_same_seed_same_run(self, tmp_path):
        for folder, seed in (("one", 1), ("two", 1), ("three", 2)):
            microgd("fit", "--batch-size", 1, "--epochs", 3, "--seed", seed, "-o", folder, cwd=tmp_path)
        one, two, three = ((tmp_path / f / "history.csv").read_text() for f in ("one", "two", "three"))
        assert one == two
        assert one != three


class TestPredict:
    def test_linear(self, tmp_path):
        data = write(tmp_path / "d.csv", [(x, 3 * x + 1) for x in range(10)], ["x", "y"])
        microgd("fit", data, "--epochs", 5000, cwd=tmp_path)
        new = write(tmp_path / "new.csv", [(0, 100), (9, 20)], ["other", "x"])
        printed = microgd("predict", "microgd-fit/model.npz", new, cwd=tmp_path)
        rows = printed.split()
        assert rows[0] == "y"
        assert [float(v) for v in rows[1:]] == pytest.approx([301, 61], rel=1e-3)
        microgd("predict", "microgd-fit/model.npz", new, "-o", "out.csv", cwd=tmp_path)
        assert (tmp_path / "out.csv").read_text() == printed

    def test_logistic(self, tmp_path):
        rows = [(x, 5 if x > 0 else 3) for x in (-3, -2, -1, 1, 2, 3)] + [(0.5, 3), (-0.5, 5)]
        data = write(tmp_path / "d.csv", rows)
        printed = microgd("fit", data, cwd=tmp_path)
        assert "5 against 3" in printed
        rows = microgd(
            "predict", "microgd-fit/model.npz", write(tmp_path / "n.csv", [(-9,), (9,)]), cwd=tmp_path
        ).split("\n")
        assert rows[0] == "column 2,probability of 5"
        assert [row.split(",")[0] for row in rows[1:3]] == ["3", "5"]
        assert float(rows[2].split(",")[1]) > 0.99

    def test_a_target_with_a_comma_in_its_name(self, tmp_path):
        rows = [["hours", "price, EUR"], *[(x, 3 * x + 1) for x in range(5)]]
        with open(tmp_path / "d.csv", "w", newline="") as file:
            csv.writer(file).writerows(rows)
        microgd("fit", "d.csv", cwd=tmp_path)
        microgd("predict", "microgd-fit/model.npz", "d.csv", "-o", "out.csv", cwd=tmp_path)
        with open(tmp_path / "out.csv", newline="") as file:
            assert {len(row) for row in csv.reader(file)} == {1}
        assert mg.data.open_csv(tmp_path / "out.csv").names == ["price, EUR"]

    def test_without_a_header_columns_keep_their_places(self, tmp_path):
        data = write(tmp_path / "d.csv", [(5 * a + b + 7, a, b) for a in range(4) for b in range(3)])
        microgd("fit", data, "--target", 1, cwd=tmp_path)
        printed = microgd("predict", "microgd-fit/model.npz", data, cwd=tmp_path)
        assert [float(v) for v in printed.split("\n")[1:-1]] == pytest.approx(
            [5 * a + b + 7 for a in range(4) for b in range(3)], rel=1e-3
        )
        bare = write(tmp_path / "bare.csv", [(3, 2)])
        printed = microgd("predict", "microgd-fit/model.npz", bare, cwd=tmp_path)
        assert float(printed.split("\n")[1]) == pytest.approx(24, rel=1e-3)

    def test_refusals(self, tmp_path):
        microgd("fit", cwd=tmp_path)
        model = "microgd-fit/model.npz"
        other = write(tmp_path / "o.csv", [(1, 2)], ["a", "b"])
        assert "no column 'hours'" in microgd("predict", model, other, cwd=tmp_path, status=2)
        wide = write(tmp_path / "w.csv", [(1, 2, 3)])
        assert "the model needs 1: hours" in microgd("predict", model, wide, cwd=tmp_path, status=2)
        assert "No such file" in microgd("predict", "absent.npz", other, cwd=tmp_path, status=2)
        assert "not a file written by" in microgd("predict", other, other, cwd=tmp_path, status=2)
        np.save(tmp_path / "array.npy", np.ones(2))
        assert "not a file written by" in microgd("predict", "array.npy", other, cwd=tmp_path, status=2)
        mg.save(tmp_path / "list.npz", [1, 2])
        assert "not a model" in microgd("predict", "list.npz", other, cwd=tmp_path, status=2)
        for wrong in ("microgd-fit/settings.json", "microgd-fit", "array.npy", "list.npz"):
            told = microgd("predict", wrong, other, cwd=tmp_path, status=2)
            assert "give model.npz, as written by microgd fit" in told
            assert "pickle" not in told
        assert "Is a directory" in microgd("predict", "microgd-fit", other, cwd=tmp_path, status=2)

    @pytest.mark.parametrize(
        "change",
        [
            {"coefficients": np.ones(2)},
            {"coefficients": None},
            {"coefficients": 1.0},
            {"coefficients": np.array([np.nan])},
            {"intercept": "1"},
            {"features": None},
            {"features": [1]},
            {"target": 3},
            {"kind": "poly"},
            {"kind": "logistic"},
            {"kind": "logistic", "classes": ["a", "b"]},
            {"more": 1},
        ],
        ids=str,
    )
    def test_a_file_with_other_contents_is_no_model(self, tmp_path, change):
        sound = {"kind": "linear", "features": ["x"], "target": "y", "intercept": 1.0, "coefficients": np.ones(1)}
        write(tmp_path / "d.csv", [(1,), (2,)], ["x"])
        mg.save(tmp_path / "m.npz", sound | {"classes": []})
        assert microgd("predict", "m.npz", "d.csv", cwd=tmp_path).split() == ["y", "2", "3"]
        mg.save(tmp_path / "m.npz", sound | {"classes": []} | change)
        assert "m.npz: is not a model; give model.npz" in microgd("predict", "m.npz", "d.csv", cwd=tmp_path, status=2)

    def test_numbers_can_be_read_back(self, tmp_path):
        big = (12345678901, 12345678902)
        classes = write(tmp_path / "c.csv", [(x, big[x > 3]) for x in range(8)], ["x", "y"])
        assert f"{big[1]} against {big[0]}" in microgd("fit", classes, cwd=tmp_path)
        rows = microgd("predict", "microgd-fit/model.npz", classes, cwd=tmp_path).split("\n")
        assert rows[0] == f"y,probability of {big[1]}"
        assert {row.split(",")[0] for row in rows[1:-1]} == set(map(str, big))
        line = write(tmp_path / "l.csv", [(x, 1700000000123 + x) for x in range(8)], ["x", "y"])
        microgd("fit", line, cwd=tmp_path)
        stored = mg.load(tmp_path / "microgd-fit" / "model.npz")
        printed = microgd("predict", "microgd-fit/model.npz", line, cwd=tmp_path).split()[1:]
        assert [float(x) for x in printed] == [x * stored["coefficients"][0] + stored["intercept"] for x in range(8)]

    def test_what_is_read_is_not_overwritten(self, tmp_path):
        microgd("fit", cwd=tmp_path)
        write(tmp_path / "a.csv", [(1,), (2,)], ["hours"])
        (tmp_path / "link.csv").symlink_to("a.csv")
        for output in ("a.csv", "link.csv", "microgd-fit/model.npz"):
            before = (tmp_path / output).read_bytes()
            told = microgd("predict", "microgd-fit/model.npz", "a.csv", "-o", output, cwd=tmp_path, status=2)
            assert told == f"microgd: {output}: is read by this command; name another file with --out\n"
            assert (tmp_path / output).read_bytes() == before

    def test_names_beyond_ascii_in_a_plain_locale(self, tmp_path):
        (tmp_path / "d.csv").write_text("x,größe\n1,2\n2,4\n3,7\n", encoding="utf-8")
        script = "import runpy; runpy.run_module('microgd.cli', run_name='__main__')"
        environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        for arguments in (["fit", "d.csv"], ["predict", "microgd-fit/model.npz", "d.csv", "-o", "out.csv"]):
            done = subprocess.run(
                [sys.executable, "-c", script, *arguments], cwd=tmp_path, env=environment, check=False
            )
            assert done.returncode == 0
        assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith("größe\n")


class TestBadInput:
    @pytest.mark.parametrize(
        ("text", "options", "message"),
        [
            (None, [], "absent.csv: cannot be read: No such file"),
            ("", [], "is empty"),
            ("\n\n", [], "is empty"),
            ("x,y\n", [], "has a header but no rows"),
            ("x,y\n1,2\n3,abc\n", [], "row 3, y: 'abc' is not a number"),
            ("1,2\n3,nan\n", [], "row 2, column 2: 'nan' is not finite"),
            ("x,y\n1,2\n\n3,inf\n", [], "row 4, y: 'inf' is not finite"),
            ("x,y\n1,2\n3,\n", [], "row 3, y: the cell is empty"),
            ("x,y\n1,2\n3\n", [], "row 3 has 1 cells, expected 2 (x, y)"),
            ("a;b\n1,5;2,5\n3,5;4,5\n", [], "row 2, a: '1,5' is not a number"),
            ("x,y\n1,2\n", [], "1 row of data: at least two"),
            ("x\n1\n2\n", [], "only one column"),
            ("x,x\n1,2\n2,3\n", [], "names 'x' twice"),
            ("x,y\n1,2\n2,4\n", ["--target", "z"], "no column 'z'; there are: x, y"),
            ("x,y\n1,2\n2,4\n", ["--features", "x,y"], "'y' is the target"),
            ("x,c,y\n1,7,2\n2,7,4\n3,7,5\n", [], "feature 'c' is 7 in every row"),
            ("x,y\n1,2\n2,4\n3,5\n", ["--model", "logistic"], "'y' has 3: 2, 4, 5"),
            ("x,y\n1,2\n2,2\n3,2\n", ["--model", "logistic"], "'y' has 1: 2"),
            ("x,y\n1,2\n2,4\n", ["--model", "tree"], "linear or logistic, got 'tree'"),
            ("x,y\n1,2\n2,4\n", ["--optimizer", "newton"], "sgd, momentum, nesterov"),
            ("x,y\n1,2\n2,4\n", ["--batch-size", "0"], "batch_size: must be at least 1, got 0"),
            ("x,y\n1,2\n2,4\n", ["--batch-size", "half"], "'half' is not a whole number"),
            ("x,y\n1,2\n2,4\n", ["--epochs", "0"], "epochs: must be at least 1"),
            ("x,y\n1,2\n2,4\n", ["--lr", "-1"], "lr: must be a finite rate above 0"),
            ("x,y\n1,2\n2,4\n", ["--l2", "-1"], "l2: must be"),
            ("x,y\n1,2\n2,4\n", ["--initial", "1"], "expected 2 numbers, the intercept and then x; got 1"),
            ("x,y\n1,2\n2,4\n", ["--initial", "1,a"], "'a' is not a number"),
            ("x,y\n1,2\n2,4\n", ["--initial", "nan,1"], "initial values: must be finite"),
            ("x,y\n1,2\n2,4\n", ["--lr", "0"], "lr: must be a finite rate above 0, got 0"),
            ("x,y\n1,2\n2,4\n", ["--lr", "nan"], "lr: must be a finite rate above 0, got nan"),
            ("x,y\n1,2\n2,4\n", ["--l2", "nan"], "l2: must be"),
            ("x,y\n1,2\n2,4\n", ["--seed", "-1"], "seed: must be 0 or more"),
            ("x,y\n1,2\n2,4\n", ["--batch-size", "3"], "batch_size: 3 is more than the 2 rows"),
            ("x,y\n1,2\n2,4\n", ["--features", "x,1"], "feature 'x' is given twice"),
            ("x,y\n1,5\n2,5\n3,5\n", [], "target 'y' is 5 in every row"),
            ("x,y\n1e200,5\n2,4\n3,5\n", [], "'x' reaches 1e+200"),
            ("x,y\n1e-200,5\n2e-200,4\n3e-200,5\n", [], "'x' reaches 3e-200"),
            ("x,y\n1_0,2\n2,4\n", [], "row 2, x: '1_0' is not a number"),
            ("x,y,\n1,2,\n2,4,\n", [], "row 2, column 3: the cell is empty"),
            ("x,y\n1,2\n2,4\n", ["--l2", "1e308"], "l2: must be a number from 0 to 1e+100, got 1e+308"),
            ("x,y\n1,2\n2,4\n", ["--initial", "1e200,1"], "the loss is inf before the first step"),
            ("name,x,y\nanna,1,2\n", [], "'anna' is not a number; correct it, leave the row out, or choose columns"),
            ("# my data\na,b\n1,2\n", [], "only one column, '# my data', by the first row;"),
        ],
    )
    def test_one_clear_sentence(self, tmp_path, text, options, message):
        path = tmp_path / ("absent.csv" if text is None else "data.csv")
        if text is not None:
            path.write_text(text)
        complaint = microgd("fit", path, *options, cwd=tmp_path, status=2)
        assert message in complaint
        assert len(complaint.splitlines()) == 1
        assert not (tmp_path / "microgd-fit").exists()

    def test_very_long_cells_and_names(self, tmp_path):
        (tmp_path / "d.csv").write_text('x,y\n1,"2\n' + "3,4\n" * 40_000)
        assert "row 2: field larger than field limit" in microgd("fit", "d.csv", cwd=tmp_path, status=2)
        assert "there are: hours" in microgd("fit", "--target", "1" * 5000, cwd=tmp_path, status=2)

    def test_not_text(self, tmp_path):
        (tmp_path / "d.csv").write_bytes(b"\xff\xfe\x00\x01")
        assert "not UTF-8" in microgd("fit", "d.csv", cwd=tmp_path, status=2)

    @pytest.mark.parametrize(
        "options",
        [
            ["--lr", "10"],
            ["--lr", "1.01"],
            ["--lr", "1e200"],
            ["--lr", "0.9", "--no-standardise"],
            ["--lr", "3", "--batch-size", "10", "--epochs", "50"],
            ["--lr", "5", "--optimizer", "momentum"],
            ["--lr", "1e5", "--optimizer", "adam", "--epochs", "3"],
        ],
    )
    def test_a_rate_too_high_is_named_and_the_one_advised_works(self, tmp_path, options):
        complaint = microgd("fit", *options, cwd=tmp_path, status=2)
        assert "step" in complaint
        advised = complaint.split("try --lr ")[1].split()[0]
        options[1] = advised
        printed = microgd("fit", *options, cwd=tmp_path)
        start, end = printed.split("mean squared error")[1].split(" at the start, ")
        assert float(end.split()[0]) < float(start)

    def test_a_rate_at_the_edge_swings(self, tmp_path):
        complaint = microgd("fit", "--lr", 1.0, cwd=tmp_path, status=2)
        assert "the loss swings and stays at 4566.57 by step" in complaint
        assert "try --lr 0.25" in complaint

    def test_earlier_output_survives_a_failure(self, tmp_path):
        microgd("fit", cwd=tmp_path)
        folder = tmp_path / "microgd-fit"
        before = {p.name: p.read_bytes() for p in folder.iterdir()}
        microgd("fit", "--lr", 10, cwd=tmp_path, status=2)
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == before

    def test_pictures_of_an_earlier_fit_do_not_stay(self, tmp_path):
        microgd("fit", cwd=tmp_path)
        (tmp_path / "microgd-fit" / "notes.txt").write_text("mine")
        data = write(tmp_path / "d.csv", [(1, 2, 3), (2, 4, 5), (3, 5, 9), (4, 9, 9)], ["a", "b", "c"])
        microgd("fit", data, "--epochs", 10, cwd=tmp_path)
        assert {p.name for p in (tmp_path / "microgd-fit").iterdir()} == {
            "learning_curve.png",
            "model.npz",
            "settings.json",
            "history.csv",
            "notes.txt",
        }
        assert {p.name for p in tmp_path.iterdir()} == {"d.csv", "microgd-fit"}, "no temporary folder stays"

    def test_output_that_cannot_be_written(self, tmp_path):
        (tmp_path / "half" / "model.npz").mkdir(parents=True)
        assert "model.npz: is a folder" in microgd("fit", "-o", "half", cwd=tmp_path, status=2)
        assert [p.name for p in (tmp_path / "half").iterdir()] == ["model.npz"]
        (tmp_path / "taken").write_text("mine")
        assert "is a file" in microgd("fit", "-o", "taken", cwd=tmp_path, status=2)
        assert "taken" in microgd("fit", "-o", "taken/below", cwd=tmp_path, status=2)
        assert (tmp_path / "taken").read_text() == "mine"

    def test_the_users_own_files_are_not_overwritten(self, tmp_path):
        rows = [(1, 2), (2, 4), (3, 7)]
        data = write(tmp_path / "history.csv", rows, ["x", "y"])
        before = data.read_bytes()
        told = microgd("fit", "history.csv", "-o", ".", cwd=tmp_path, status=2)
        assert (
            told == "microgd: history.csv: holds the data, and would be overwritten; name another folder with --out\n"
        )
        own = tmp_path / "own"
        own.mkdir()
        for name in ("settings.json", "line.png", "model.npz"):
            (own / name).write_text("mine")
            told = microgd("fit", "history.csv", "-o", "own", cwd=tmp_path, status=2)
            assert told == f"microgd: own/{name}: was not written by microgd fit; name another folder with --out\n"
            assert [(path.name, path.read_text()) for path in own.iterdir()] == [(name, "mine")]
            (own / name).unlink()
        microgd("fit", "history.csv", "-o", "own", cwd=tmp_path)
        (own / "model.npz").chmod(0o600)
        microgd("fit", "history.csv", "-o", "own", cwd=tmp_path)
        assert (own / "model.npz").stat().st_mode & 0o777 == 0o600
        (tmp_path / "link.csv").symlink_to("own/history.csv")
        assert "holds the data" in microgd("fit", "link.csv", "-o", "own", cwd=tmp_path, status=2)
        assert data.read_bytes() == before

    @pytest.mark.parametrize(
        ("text", "options", "note"),
        [
            (None, ["--lr", "0.00001"], "still falling at the end; try --lr 0.25, or more --epochs"),
            (None, ["--epochs", "3"], "still falling at the end; try more --epochs"),
            (
                "x,y\n0,0\n2,2\n",
                ["--lr", "1"],
                "the loss did not fall: it began at the minimum, or the rate is too high",
            ),
            ("a,b,y\n1,2,1\n2,4,3\n3,6,4\n", [], "of 2 features, only 1 can be told apart"),
            ("a,b,c,y\n1,2,3,4\n2,5,6,1\n", [], "of 3 features, only 1 can be told apart"),
            ("x,pass\n" + "".join(f"{x},{int(x > 5)}\n" for x in range(10)), [], "part the classes without a mistake"),
        ],
        ids=["rate too small", "too few epochs", "swinging", "collinear", "few rows", "separable"],
    )
    def test_what_the_numbers_do_not_tell_is_noted(self, tmp_path, text, options, note):
        if text is not None:
            (tmp_path / "d.csv").write_text(text)
            options = ["d.csv", *options]
        printed = " ".join(microgd("fit", *options, cwd=tmp_path).split())
        assert note in printed
        better = ["--l2", "0.1", "--lr", "0.3"] if text else ["--lr", "0.3", "--epochs", "900"]
        assert "note" not in microgd("fit", *options, *better, cwd=tmp_path)

    def test_a_reader_who_stops_early_loses_no_file(self, tmp_path):
        command = f"{sys.executable} -m microgd.cli fit -o out | head -1"
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.startswith("Data:")
        assert "Traceback" not in done.stderr
        assert (tmp_path / "out" / "model.npz").exists()

        (tmp_path / "many.csv").write_text("hours\n" + "5\n" * 100_000)
        command = f"{sys.executable} -m microgd.cli predict out/model.npz many.csv | head -1"
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("score\n", "")

    def test_a_closed_standard_output(self, tmp_path):
        command = f"{sys.executable} -m microgd.cli"
        for arguments in ("fit", "predict microgd-fit/model.npz microgd-fit/history.csv --help"):
            done = subprocess.run(
                f"{command} {arguments} >&-", shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        assert (tmp_path / "microgd-fit" / "model.npz").exists()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_terminated(self, tmp_path, number):
        script = f"import signal as s; s.signal({number:d}, s.SIG_DFL); from microgd.cli import main; main()"
        command = [sys.executable, "-c", script, "fit", "--epochs", "100000000", "--tolerance", "0"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while process.poll() is None and not list(tmp_path.iterdir()):
                time.sleep(0.01)
            process.send_signal(number)
            _, complaint = process.communicate(timeout=30)
        assert process.returncode == 130
        assert b"nothing was written" in complaint
        assert not list(tmp_path.iterdir()), "no temporary folder stays"

    def test_names_are_not_read_as_mathematics(self, tmp_path):
        data = write(tmp_path / "d.csv", [(1, 2), (2, 4), (3, 7)], ["x", r"$\frac{$"])
        assert r"regression of $\frac{$" in microgd("fit", data, cwd=tmp_path)

    def test_interrupted(self, tmp_path):
        command = [sys.executable, "-c", INTERRUPTIBLE, "fit", "--epochs", "100000000", "--tolerance", "0"]
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout.readline().startswith("Data:")  # it is up, and at work
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            _, complaint = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "nothing was written" in complaint
        assert "Traceback" not in complaint
        assert not (tmp_path / "microgd-fit").exists()


def test_help_and_the_installed_command(tmp_path):
    assert "Usage" in microgd("fit", "--help", cwd=tmp_path)
    done = subprocess.run(
        [Path(sys.executable).with_name("microgd"), "--help"], capture_output=True, text=True, check=True
    )
    assert "predict" in done.stdout

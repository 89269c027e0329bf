"""The command line: ``microgd fit``, ``microgd predict`` and ``microgd check``.

``fit`` reads a CSV file, fits a linear or logistic regression by gradient descent, and shows how it went: a table of
parameters in the data's own units, metrics, pictures, and a model file that ``predict`` applies. Everything is
computed before the first file is written. ``check`` grades a file of exercises. What a user can get wrong ends in one
sentence and exit status 2.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NoReturn

import numpy as np

try:
    import typer
    from rich.console import Console, Group, RenderableType
    from rich.markup import escape
    from rich.padding import Padding
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.table import Table as Grid
    from rich.text import Text
except ImportError as error:
    sys.exit(f"microgd: the command line needs {error.name}; install it with: pip install 'microgd[cli]'")

from microgd.check.exercises import Finding, Result
from microgd.check.grading import Report, grade
from microgd.data import BUNDLED, Table, open_csv
from microgd.errors import DataError, MicrogdError, OptionError
from microgd.files import replacing
from microgd.ops.special import sigmoid
from microgd.train.checkpoint import load, save
from microgd.train.regression import Fitted, Model, Settings, descend, plain

STATES = {"passed": "green", "not done": "yellow", "failed": "red", "crashed": "red", "timed out": "red"}
INDENT, PRINTED_LINES, TABLE_ROWS = (0, 0, 0, 4), 10, 8
FILES = ("learning_curve.png", "line.png", "surface.png", "model.npz", "settings.json", "history.csv")
SIGNALS: list[int] = []

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
out, err = (Console(highlight=False), Console(stderr=True, highlight=False, soft_wrap=True))


@app.callback()
def about() -> None:
    """Gradient descent on a CSV file, every step of it visible; and derivatives by hand, checked."""


@contextmanager
def one_sentence() -> Iterator[None]:
    """What a user can get wrong: its sentence on stderr, and exit status 2."""
    try:
        yield
    except MicrogdError as error:
        fail(str(error))
    except BrokenPipeError:  # who reads the answers has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except OSError as error:
        fail(f"{error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        err.print("stopped; nothing was written")
        raise typer.Exit(130) from None


def fail(message: str) -> NoReturn:
    err.print("microgd:", message, markup=False)
    raise typer.Exit(2)


@app.command()
def fit(
    data: Annotated[Path | None, typer.Argument(help="CSV file of numbers. Without it: the bundled set.")] = None,
    target: Annotated[
        str | None, typer.Option(help="Column to predict, by name or number. [default: the last]")
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Columns to predict from, as a,b,c. [default: all others]")
    ] = None,
    model: Annotated[str | None, typer.Option(help="linear or logistic. [default: by the target]")] = None,
    optimizer: Annotated[str, typer.Option(help="sgd, momentum, nesterov, adagrad, rmsprop or adam.")] = "sgd",
    lr: Annotated[float | None, typer.Option(help="Learning rate. [default: from the curvature of the loss]")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the data, at most.")] = 1000,
    batch_size: Annotated[str, typer.Option(help="full, 1 (stochastic) or n rows a step (mini-batch).")] = "full",
    seed: Annotated[int, typer.Option(help="For the order of the rows.")] = 0,
    standardise: Annotated[bool, typer.Option(help="Descend on features of mean 0 and deviation 1.")] = True,
    l2: Annotated[float, typer.Option(help="Penalty: l2 times the squared (standardised) coefficients.")] = 0.0,
    tolerance: Annotated[float, typer.Option(help="Stop at relative changes below it; 0: never.")] = 1e-9,
    patience: Annotated[int, typer.Option(help="... for so many epochs in a row.")] = 10,
    initial: Annotated[str | None, typer.Option(help="Start, as intercept,slope,... [default: zeros]")] = None,
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for pictures and files.")] = Path("microgd-fit"),
) -> None:
    """Fit a linear or logistic regression by gradient descent, and show it."""
    with one_sentence():
        table = open_csv(BUNDLED if data is None else data)
        if data is None:
            out.print("Data: hours studied against exam scores; 100 rows made from a seed.")
        inputs, goal, names, goal_name = columns(table, target, features)
        settings = Settings(
            model=model,
            optimizer=optimizer.lower(),
            lr=lr,
            epochs=epochs,
            batch_size=None if batch_size == "full" else number(int, batch_size, "--batch-size"),
            seed=seed,
            standardise=standardise,
            l2=l2,
            tolerance=tolerance,
            patience=patience,
            initial=None if initial is None else [number(float, part, "--initial") for part in initial.split(",")],
        )
        with filled(output, table.source) as folder:
            with progress(epochs) as advance:
                fitted = descend(inputs, goal, names, goal_name, settings, advance)
            write(fitted, inputs, goal, settings, table.source, folder)
            written = [name for name in FILES if (folder / name).exists()]
    report(fitted, len(inputs), settings)  # after all is written: who reads it may stop after the first line
    if "learning_curve.png" not in written:
        out.print("No pictures: they need matplotlib; install it with: pip install 'microgd\\[plot]'")
    out.print(f"Written to {output}{'/' if output.name else ''}: {', '.join(written)}", soft_wrap=True, markup=False)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="model.npz, as written by fit.")],
    data: Annotated[Path, typer.Argument(help="CSV file with the model's features.")],
    output: Annotated[Path | None, typer.Option("--out", "-o", help="CSV file. [default: standard output]")] = None,
) -> None:
    """Apply a fitted model to a CSV file."""
    with one_sentence():
        fitted = stored_model(model)
        table = open_csv(data)
        for source in (model, data):
            if output is not None and same_file(output, source):
                raise DataError(f"{output}: is read by this command; name another file with --out")
        inputs = table.numbers(positions(table, fitted))
        names, answers = [fitted.target], [fitted.predict(inputs)]
        if fitted.kind == "logistic":
            names.append(f"probability of {plain(fitted.classes[1])}")
            answers.append(sigmoid(fitted.scores(inputs)))
        rows = [names, *(map(plain, row) for row in zip(*answers, strict=True))]
        if output is None:
            csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
        else:
            with replacing(output) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Python file with functions under @exercise.")],
    hints: Annotated[int, typer.Option(help="How many hints to show where an exercise has not passed.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON, for graders.")] = False,
    seed: Annotated[int | None, typer.Option(help="Of the hidden points. [default: a new one each time]")] = None,
    time_limit: Annotated[float, typer.Option(help="Seconds to load the file, and for each exercise.")] = 10.0,
) -> None:
    """Check the derivatives in a file of exercises, and say what is wrong with them.

    Exit status 0: all passed. 1: not all. 2: nothing could be checked as asked.
    """
    with one_sentence():
        try:
            graded = grade(file, seed, time_limit)
        except MicrogdError as error:
            if not as_json:
                raise
            print(json.dumps({"file": str(file), "ok": False, "error": str(error), "exercises": []}, indent=2))
            raise typer.Exit(2) from None
    if as_json:
        print(json.dumps(graded.as_dict(hints), indent=2))
    else:
        show(graded, hints)
    raise typer.Exit(0 if graded.ok else 1 if graded.names else 2)


def stored_model(path: Path) -> Model:
    """The model in a file that ``fit`` wrote."""
    expected = "give model.npz, as written by microgd fit"
    try:
        stored = load(path)
    except DataError as error:
        raise DataError(f"{error}; {expected}") from None
    try:
        model = Model(**stored)
        sound = model.is_sound()
    except TypeError:
        sound = False
    if not sound:
        raise DataError(f"{path}: is not a model; {expected}")
    return model


def same_file(one: Path, other: Path | str) -> bool:
    """Whether two names, or links, mean one file with content to lose."""
    return one.is_file() and os.path.samefile(one, other)


def number(kind: type, text: str, option: str) -> Any:
    """A number from the command line."""
    try:
        return kind(text)
    except ValueError:
        raise OptionError(f"{option}: {text!r} is not {'a whole number' if kind is int else 'a number'}") from None


def columns(table: Table, target: str | None, features: str | None) -> tuple[Any, Any, list[str], str]:
    """Inputs, target, and their names."""
    goal = len(table.names) - 1 if target is None else table.index(target)
    if features is None:
        chosen = [k for k in range(len(table.names)) if k != goal]
    else:
        chosen = [table.index(name.strip()) for name in features.split(",")]
    if not chosen:
        raise DataError(
            f"{table.source}: only one column, {table.names[0]!r}, by the first row; a target and at least one "
            f"feature are needed, and nothing may stand above the header"
        )
    if goal in chosen:
        raise OptionError(f"--features: {table.names[goal]!r} is the target; a model must not see what it predicts")
    numbers = table.numbers([*chosen, goal])
    return numbers[:, :-1], numbers[:, -1], [table.names[k] for k in chosen], table.names[goal]


def positions(table: Table, model: Model) -> list[int]:
    """Where a table holds the features of a model: by name, or in order where it has just them and no header."""
    wanted, width = len(model.features), len(table.names)
    if not table.has_header and width == wanted:
        return list(range(wanted))
    if not table.has_header and not set(model.features) <= set(table.names):
        raise DataError(
            f"{table.source}: {width} columns without a header; the model needs {wanted}: {', '.join(model.features)}"
        )
    return [table.index(name) for name in model.features]


@contextmanager
def filled(output: Path, source: str) -> Iterator[Path]:
    """A temporary folder whose files take the place of those in ``output`` when the block ends well.

    It is made beforehand, so that an output that cannot be written is known before the work is done. Files of an
    earlier fit that this one does not make are removed: they would show another fit. Where there was no earlier fit,
    files of these names are the user's own, and refused; and so is the data file, ``source``, anywhere.
    """
    if output.exists() and not output.is_dir():
        raise DataError(f"{output}: is a file; name a folder with --out")
    present = [output / name for name in FILES if (output / name).exists()]
    for path in present:
        if path.is_dir():
            raise DataError(f"{path}: is a folder, where a file is to be written; name another with --out")
        if same_file(path, source):
            raise DataError(f"{path}: holds the data, and would be overwritten; name another folder with --out")
    if present and not holds_a_fit(output):
        raise DataError(f"{present[0]}: was not written by microgd fit; name another folder with --out")
    parent = output.absolute()
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise DataError(f"{parent}: is a file, so {output} cannot be a folder; name another with --out")
    try:
        folder = Path(tempfile.mkdtemp(prefix=".microgd-", dir=parent))
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error.strerror}; name another folder with --out") from None
    try:
        yield folder
        output.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if not (folder / name).exists():
                (output / name).unlink(missing_ok=True)
                continue
            if (output / name).exists():
                shutil.copymode(output / name, folder / name)
            os.replace(folder / name, output / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def holds_a_fit(folder: Path) -> bool:
    """Whether an earlier fit wrote to this folder."""
    try:
        stored_model(folder / "model.npz")
    except DataError:
        return False
    return True


@contextmanager
def progress(epochs: int) -> Iterator[Callable[[int, float], None]]:
    """A bar on stderr that is brought up to date ten times a second, not once an epoch."""
    shown = TextColumn("loss {task.fields[loss]:.6g}")
    bar = Progress(TextColumn("descending"), BarColumn(), MofNCompleteColumn(), shown, console=err)
    task = bar.add_task("", total=epochs, loss=float("nan"))
    done, loss, drawn = 0, float("nan"), float("-inf")

    def advance(epoch: int, value: float) -> None:
        nonlocal done, loss, drawn
        if SIGNALS:
            raise KeyboardInterrupt
        done, loss, now = epoch, value, time.perf_counter()
        if now - drawn > 0.1:
            bar.start()  # at the first epoch, so that a complaint about the data stands alone
            bar.update(task, completed=done, loss=loss)
            drawn = now

    try:
        yield advance
        bar.update(task, completed=done, total=done, loss=loss)
    finally:
        if bar.live.is_started:
            bar.stop()


def report(fitted: Fitted, rows: int, settings: Settings) -> None:
    """The tables: parameters in the data's own units, then what the descent was and is worth."""
    model, history, best = fitted.model, fitted.history, fitted.closed_form
    out.print(f"{model.kind} regression of {model.target}, {rows} rows", markup=False, soft_wrap=True)
    parameters = Grid()
    parameters.add_column("parameter")
    parameters.add_column("by descent", justify="right")
    if best is not None:
        parameters.add_column("closed form", justify="right")
    for k, name in enumerate(["intercept", *model.features]):
        values = [fitted.path[-1][k], *([] if best is None else [best[k]])]
        parameters.add_row(escape(name), *map(figures, values))
    out.print(parameters)
    summary = Grid.grid(padding=(0, 2))
    name = "log loss" if model.kind == "logistic" else "mean squared error"
    name += f" + {settings.l2:g} |w|^2" if settings.l2 else ""
    summary.add_row(name, f"{figures(history.losses[0])} at the start, {figures(history.losses[-1])} at the end")
    for metric, value in fitted.metrics.items():
        summary.add_row(metric, f"{value:.4f}")
    if model.classes:
        why = " (the target has two values; --model linear fits a line)" if settings.model is None else ""
        summary.add_row("classes", f"{plain(model.classes[1])} against {plain(model.classes[0])}{why}")
    batch = {None: "all rows", 1: "1 row"}.get(settings.batch_size, f"{settings.batch_size} rows")
    scaled = "standardised features" if settings.standardise else "features as they are"
    rate = f"rate {fitted.rate:.4g}" + (" (from the data)" if settings.lr is None else "")
    summary.add_row("descent", f"{settings.optimizer}, {rate}, {batch} a step, {scaled}")
    summary.add_row("stopped", f"{history.stopped}; {history.steps} steps in {history.seconds:.2f} s")
    for note in fitted.notes:
        summary.add_row("note", note)
    out.print(summary)


def figures(value: float) -> str:
    """Four decimals, or four digits where those would show nothing."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e7 else f"{value:.4g}"


def write(fitted: Fitted, inputs: Any, goal: Any, settings: Settings, source: str, folder: Path) -> None:
    """All files of a fit."""
    model, history = fitted.model, fitted.history
    for name, picture in draw(fitted, inputs, goal, settings.standardise).items():
        picture.savefig(folder / name)
    save(folder / "model.npz", dataclasses.asdict(model))
    used = dataclasses.asdict(settings) | {"model": model.kind, "lr": fitted.rate, "data": source}
    used |= {"target": model.target, "features": model.features}
    heads = ["epoch", "loss", "intercept", *model.features]
    table = np.column_stack([np.arange(len(history.losses)), history.losses, fitted.path])
    (folder / "settings.json").write_text(json.dumps(used, indent=2) + "\n")
    with open(folder / "history.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([heads, *([int(row[0]), *row[1:].tolist()] for row in table)])


def draw(fitted: Fitted, inputs: Any, goal: Any, standardised: bool) -> dict[str, Any]:
    """The pictures, by file name; none without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        return {}
    mpl.use("Agg")
    from microgd.plots import error_surface, learning_curve, line_as_it_moves

    model, best = fitted.model, fitted.closed_form
    logistic = model.kind == "logistic"
    loss_name = "log loss" if logistic else "mean squared error"
    pictures = {"learning_curve.png": learning_curve(fitted.history.losses, loss_name)}
    if len(model.features) == 1:
        x, feature = inputs[:, 0], model.features[0]

        def curve(grid: Any, parameters: Any) -> Any:
            line = parameters[0] + parameters[1] * grid
            return sigmoid(line) if logistic else line

        y = (goal == model.classes[1]).astype(float) if logistic else goal
        target = f"probability that {model.target} is {plain(model.classes[1])}" if logistic else model.target
        pictures["line.png"] = line_as_it_moves(x, y, fitted.path, curve, (feature, target), best)
        names = ("intercept", f"slope of {feature}")
        if standardised:
            names = (f"intercept, at the mean of {feature}", f"slope per standard deviation of {feature}")
        walk = fitted.walk
        pictures["surface.png"] = error_surface(
            walk.loss, walk.path, names, walk.minimum, loss_name, one_scale=standardised
        )
    return pictures


def show(graded: Report, level: int) -> None:
    """The report of ``check`` for people."""
    for k, result in enumerate(graded.results):
        out.print(Text.assemble((f"{result.state:<11}", STATES[result.state]), (result.name, "bold")))
        for part in details(result):
            out.print(Padding(part, INDENT, expand=False))
        hints = graded.hints_of(k, level)
        for n, hint in enumerate(hints, 1):
            out.print(Padding(Text(f"Hint {n}: {hint}"), INDENT, expand=False))
        if result.state != "passed" and len(graded.hints[k]) > len(hints):
            left = len(graded.hints[k]) - len(hints)
            count = f"{left} more hint" if hints else f"{left} hint"
            out.print(Padding(Text(f"{count}{'s' if left > 1 else ''}: --hints {level + 1}"), INDENT, expand=False))
    if graded.error:
        out.print(Text(f"{graded.file}: {visible(graded.error)}"))
        out.print(Padding(Text(visible(graded.where)), INDENT, expand=False))
    if graded.printed:
        lines = visible(graded.printed.decode(errors="replace")).splitlines()
        whole = len(lines) <= PRINTED_LINES and len(graded.printed) == graded.printed_bytes
        out.print(f"The file printed{'' if whole else f' {graded.printed_bytes:,} bytes, which begin'}:")
        for line in lines[:PRINTED_LINES]:
            out.print(Padding(Text(line, overflow="ellipsis", no_wrap=True), INDENT, expand=False))
    if graded.results:
        out.print(Text(f"{graded.passed} of {len(graded.names)} passed; the same points again: --seed {graded.seed}"))


def details(result: Result) -> Iterator[RenderableType]:
    """What there is to say of one exercise; derivatives that share a verdict are named together."""
    wrong = [finding for finding in result.findings if finding.wrong]
    if not wrong and result.verdict:
        yield Text(visible(result.verdict))
    if result.where:
        yield Padding(Text(visible(result.where)), INDENT, expand=False)
    for _, same in groupby(wrong, lambda finding: (finding.cause, finding.confidence, finding.verdict)):
        yield verdict(list(same), result.points)
    if wrong and (right := [finding.name for finding in result.findings if not finding.wrong]):
        yield Text(f"{', '.join(right)}: right")


def verdict(findings: list[Finding], points: int) -> RenderableType:
    """What is wrong with some derivatives, and the numbers that show it."""
    first = findings[0]
    numbers = Grid(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    numbers.add_column("entry")
    for head in ("yours", "true", "ratio"):
        numbers.add_column(head, justify="right")
    for finding in findings:
        for row in finding.table[: max(1, TABLE_ROWS // len(findings))]:
            numbers.add_row(*map(escape, row))
    names = ", ".join(finding.name for finding in findings)
    place = f"Wrong at {first.wrong} of {points} points. One of them: {first.point}"
    sure = f", confidence {first.confidence:.0%}" if first.confidence else ""
    told = Group(Text(first.verdict), Text(place, "dim"), numbers)
    return Group(Text(f"{names}: wrong ({first.cause}{sure})"), Padding(told, INDENT, expand=False))


def visible(text: str) -> str:
    """Text of a learner's program without what would steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text.expandtabs())


def stop(number: int, frame: Any) -> None:
    """Every signal to end is an interrupt, so that no temporary folder stays.

    It is kept as well: what a handler raises is lost where it happens to run in a destructor or a look-up of C code.
    """
    SIGNALS.append(number)
    raise KeyboardInterrupt


def main() -> None:
    """The entry point of the ``microgd`` command."""
    if sys.stdout is None:  # closed by the shell
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    sys.stdout.reconfigure(errors="replace")  # what a user's file says may be beyond what the terminal can write
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
            signal.signal(getattr(signal, name), stop)
    app()


if __name__ == "__main__":
    main()

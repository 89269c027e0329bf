"""The command line: ``microgd fit`` and ``microgd predict``.

``fit`` reads a CSV file, fits a linear or logistic regression by gradient descent, and shows how it went: a table of
parameters in the data's own units, metrics, pictures, and a model file that ``predict`` applies. Everything is
computed before the first file is written. What a user can get wrong ends in one sentence and exit status 2.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

try:
    import typer
    from rich.console import Console
except ImportError as error:  # pragma: no cover
    sys.exit(f"microgd: the command line needs {error.name}; install it with: pip install 'microgd[cli]'")

from microgd.errors import DataError, MicrogdError, OptionError
from microgd.train.regression import Regression, Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
out, err = Console(highlight=False), Console(stderr=True, highlight=False, soft_wrap=True)


@app.callback()
def about() -> None:
    """Gradient descent on a CSV file: fit a line or a logistic curve, and see every step of the way."""


@contextmanager
def one_sentence() -> Iterator[None]:
    """What a user can get wrong: its sentence on stderr, and exit status 2."""
    try:
        yield
    except MicrogdError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        err.print("stopped; nothing was written")
        raise typer.Exit(130) from None


def fail(message: str) -> NoReturn:
    err.print("microgd:", message, markup=False)
    raise typer.Exit(2)

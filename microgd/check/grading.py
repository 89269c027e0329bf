"""Grading: an exercise file, run in a process of its own, becomes a ``Report``.

The process gets a seed that the file does not know, and a time limit; it answers on a channel of its own, so nothing
that is printed passes for a result. Whatever the file does, crash, hang, flood or exit, is told in a sentence, and the
exercises after it get their turn in a new process. This protects people from accidents. It is no sandbox: a file that
means harm can do all that its user can.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from typing import Any

from microgd.check.exercises import Finding, Result
from microgd.errors import DataError, OptionError

START = 60.0  # seconds for Python and NumPy to start
GRACE = 1.0  # seconds for the process to answer after its own alarm
KEPT = 4000  # bytes of what the file prints
CHUNK = 1 << 16  # bytes read at a time

ROOT = str(Path(__file__).parents[2])
COMMAND = "import sys; sys.path.insert(0, sys.argv[1]); from microgd.check.worker import main; main()"
EMPTY = """no exercises in it. One looks like this:

    from microgd.check import exercise

    def f(x):
        return x**3

    @exercise(of=f, inputs=lambda rng: rng.normal())
    def df_dx(x):
        return ..."""


@dataclass
class Report:
    """How every exercise of a file went; ``error`` says why the file as a whole could not be graded.

    ``printed`` is the beginning of what the file printed, ``printed_bytes`` how much there was.
    """

    file: str
    seed: int
    time_limit: float
    names: list[str] = field(default_factory=list)
    hints: list[list[str]] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    error: str = ""
    where: str = ""
    printed: bytes = b""
    printed_bytes: int = 0

    @property
    def passed(self) -> int:
        """How many exercises passed."""
        return sum(result.state == "passed" for result in self.results)

    @property
    def ok(self) -> bool:
        """Whether there are exercises, and all of them passed."""
        return 0 < self.passed == len(self.names)

    def hints_of(self, k: int, level: int) -> list[str]:
        """The first ``level`` hints of exercise k, unless it passed."""
        return [] if self.results[k].state == "passed" else self.hints[k][:level]

    def as_dict(self, level: int = 0) -> dict[str, Any]:
        """The report for a program, with ``level`` hints."""
        exercises = [
            dataclasses.asdict(result) | {"hints": self.hints_of(k, level), "hints_available": len(self.hints[k])}
            for k, result in enumerate(self.results)
        ]
        return {
            "file": self.file,
            "ok": self.ok,
            "passed": self.passed,
            "total": len(self.names),
            "error": self.error,
            "where": self.where,
            "seed": self.seed,
            "time_limit": self.time_limit,
            "hint_level": level,
            "exercises": exercises,
            "printed": self.printed.decode(errors="replace"),
            "printed_bytes": self.printed_bytes,
        }

    def overhear(self, output: BufferedReader) -> None:
        """Take in what the file prints, to the end, and keep the beginning."""
        with output:
            while text := output.read1(CHUNK):
                self.printed += text[: KEPT - len(self.printed)]
                self.printed_bytes += len(text)

    def hear(self, error: str = "", where: str = "", **facts: Any) -> None:
        """Take in one answer of the worker."""
        self.error, self.where = error, where
        if "names" in facts and not self.names:
            self.names, self.hints = facts["names"], facts["hints"]
        if "result" in facts:
            findings = [Finding(**each) for each in facts["result"].pop("findings")]
            self.results.append(Result(**facts["result"], findings=findings))


def grade(path: Path, seed: int | None = None, time_limit: float = 10.0) -> Report:
    """Run a file of exercises and report on each.

    Args:
        path: a Python file with functions under ``@exercise``.
        seed: of the hidden points; without it a new one, which the report tells so that the run can be repeated.
        time_limit: seconds for loading the file, and for each exercise.

    Raises:
        DataError: there is no such file. OptionError: a negative seed, or no time at all.
    """
    if not path.is_file():
        raise DataError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; name one Python file of exercises")
    if not 0 < time_limit < 1e6:
        raise OptionError(f"time limit {time_limit:g}: expected seconds, more than 0")
    if seed is not None and seed < 0:
        raise OptionError(f"seed {seed}: expected a whole number that is not negative")
    report = Report(str(path), secrets.randbits(32) if seed is None else seed, time_limit)
    while (ending := one_process(report)) and len(report.results) < len(report.names):
        report.results.append(replace(ending, name=report.names[len(report.results)]))
    if not report.names and not report.error:
        report.error = ending.verdict if ending else EMPTY
    return report


def one_process(report: Report) -> Result | None:
    """Check the exercises that have no result yet; None, or what to say of one that ended the process."""
    channel, far_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-P", "-u", "-c", COMMAND, ROOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[far_end],
        start_new_session=True,
    )
    os.close(far_end)
    printing = threading.Thread(target=report.overhear, args=[process.stdout], daemon=True)
    printing.start()
    order = {
        "channel": far_end,
        "path": os.path.abspath(report.file),
        "seed": report.seed,
        "first": len(report.results),
        "limit": report.time_limit,
    }
    try:
        with suppress(BrokenPipeError), process.stdin as orders:
            orders.write(json.dumps(order).encode())
        return listen(report, channel, process)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # with whatever the file may have started
        process.wait()
        printing.join(GRACE)
        os.close(channel)


def listen(report: Report, channel: int, process: subprocess.Popen[bytes]) -> Result | None:
    """Hear the answers until the worker has finished, is gone, or is silent for too long."""
    patience, unfinished, since = START, b"", time.monotonic()

    def ending(state: str, verdict: str) -> Result:
        return Result("", state, verdict, seconds=time.monotonic() - since)

    while select.select([channel], [], [], patience)[0]:
        text = os.read(channel, CHUNK)
        if not text:
            return ending("crashed", obituary(process))
        patience, since = report.time_limit + GRACE, time.monotonic()
        *answers, unfinished = (unfinished + text).split(b"\n")
        try:
            for answer in map(json.loads, answers):
                report.hear(**answer)
                if "finished" in answer or "error" in answer:
                    return None
        except (ValueError, TypeError, KeyError):
            return ending("crashed", "It wrote into the channel on which the results are reported.")
    return ending("timed out", f"Not finished within {report.time_limit:g} s.")


def obituary(process: subprocess.Popen[bytes]) -> str:
    """How a process ended that had more to do."""
    try:
        status = process.wait(GRACE)
    except subprocess.TimeoutExpired:
        status = os.EX_IOERR
    if status == os.EX_IOERR:
        return "It closed the channel on which the results are reported."
    if status < 0:
        return (
            f"It made Python end: {signal.strsignal(-status)}. Too deep a recursion, or an extension module, can do it."
        )
    return f"It ended the whole process with status {status}, as os._exit does; an exercise only returns its answer."

"""Files are written beside the old one and renamed, so that a crash leaves the old file as it was.

A link is followed and a file keeps its permissions. What is no regular file, a pipe or a device, is written to
directly: it has no old content to keep.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place when the block ends well, and vanishes otherwise.

    Raises:
        OSError: it cannot be written; the error names ``path``, not the temporary file.
    """
    goal = Path(path)
    if goal.exists() and not goal.is_file():
        yield goal
        return
    goal = Path(os.path.realpath(goal))
    temporary = goal.with_name(f".{secrets.token_hex(6)}")  # short: the name itself may be as long as names can be
    try:
        temporary.touch(exist_ok=False)
        if goal.exists():
            shutil.copymode(goal, temporary)
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, goal)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)

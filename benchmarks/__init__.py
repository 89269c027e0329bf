"""The same work on microgd and its peers, timed on one machine in one run.

Everyone gets two threads. The libraries read these variables when they are first imported, so they are set
here, in the file that Python runs before any other of this package. Nothing else belongs here.
"""

import os

THREADS = 2

for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{library}_NUM_THREADS"] = str(THREADS)

"""A core's time, on a machine that others use as well."""

from __future__ import annotations

import time
from collections.abc import Callable


def took(work: Callable[[], object]) -> float:
    """Seconds of a core that some work takes in this thread."""
    wall, core = time.perf_counter(), time.process_time()
    work()
    return min(time.process_time() - core, time.perf_counter() - wall)

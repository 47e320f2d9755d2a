"""What the disk itself takes: every durable figure stands on it."""

from __future__ import annotations

import os
import time
from pathlib import Path


def fdatasyncs(folder: Path, count: int = 200) -> list[float]:
    """Seconds that each of `count` small, durable appends took."""
    path = folder / "disk.bin"
    took: list[float] = []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        for _ in range(count):
            began = time.perf_counter()
            os.write(descriptor, b"x" * 512)
            os.fdatasync(descriptor)
            took.append(time.perf_counter() - began)
            time.sleep(0.005)
    finally:
        os.close(descriptor)
    return took

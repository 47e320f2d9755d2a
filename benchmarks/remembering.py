"""What a million keys take: ten rules that each wait for the other half of 100,000 pairs.

`python -m benchmarks.remembering` prints the bytes a key, by what the process grew (RSS).
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.engine import Indexed
from benchmarks.figure import Figure
from benchmarks.matching import spawned
from benchmarks.workload import KEYS, Equal, Pair, Workload, order

RULES = 10
AIM = 1_000


def measure() -> Iterator[Figure]:
    """One figure."""
    each = spawned("benchmarks.remembering")["bytes"]
    words = f"memory of a key that waits, of {RULES * KEYS:,} (RSS)"
    yield Figure(words, f"{each:,.0f} bytes", f"< {AIM:,} bytes", each < AIM)


def main() -> None:
    pair = Pair(Equal("note", "placed"), Equal("note", "paid"), "customer")
    work = Workload({f"pair {n}": pair for n in range(RULES)}, [], lambda _: [])
    engine = Indexed(work)
    engine.feed(engine.ready([order(KEYS, "a customer", note="placed")]))
    gc.collect()
    before = resident()
    for start in range(0, KEYS - 1, 1_000):
        numbers = range(start, min(start + 1_000, KEYS - 1))
        engine.feed(engine.ready([order(n, f"customer {n}", note="placed") for n in numbers]))
        engine.forget()
    gc.collect()
    print(json.dumps({"bytes": (resident() - before) / (RULES * KEYS)}))


def resident() -> int:
    """Bytes of memory that the process occupies."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()

"""What is kept up to date here, from which events, and in which order.

reactor dev pipeline.py            serve it; save this file and it is loaded anew
reactor plan pipeline.py inbox inbox/monday.csv
"""

import csv
import json
from pathlib import Path

from reactor import Pipeline, Retry
from sensors import FileArrivals

# `owner` is told when something fails for good.
pipeline = Pipeline("PROJECT", owner="you@example.com")

# A sensor says where to listen. Nothing is opened here: the service does that.
inbox = FileArrivals("inbox/*.csv")


# An asset is something that code keeps up to date. `on` says which events launch it; of the events,
# the function gets those it has not worked on yet. It returns a handle, never the data itself.
@pipeline.asset(on=inbox)
def orders(events) -> dict:
    """All orders that ever arrived, in one file."""
    file = Path("lake/orders.jsonl")
    known = _read(file)
    for event in events:
        with Path(event.subject).open(newline="") as arrived:
            known.update({row["order_id"]: row for row in csv.DictReader(arrived)})
    _write(file, "".join(f"{json.dumps(row)}\n" for row in known.values()))
    return {"file": str(file), "rows": len(known)}


# A parameter that is named after an asset is an edge: this runs when `orders` changes, and only
# then. What fails is tried again, here up to three times.
@pipeline.asset(retry=Retry(3, backoff="1s"))
def revenue(orders: dict) -> dict:
    """What each region earned."""
    earned: dict[str, float] = {}
    for row in _read(Path(orders["file"])).values():
        earned[row["region"]] = round(earned.get(row["region"], 0) + float(row["amount"]), 2)
    _write(Path("lake/revenue.json"), json.dumps(earned, indent=2))
    return {"file": "lake/revenue.json", "regions": len(earned)}


# A check is a gate: if it fails, `revenue` counts as failed and nothing below it runs.
@pipeline.check(revenue)
def some_region_earned_something(revenue: dict) -> bool:
    return revenue["regions"] > 0


def _read(file: Path) -> dict[str, dict]:
    lines = file.read_text().splitlines() if file.exists() else []
    return {row["order_id"]: row for row in map(json.loads, lines)}


def _write(file: Path, text: str) -> None:
    """Whole or not at all: whoever reads the file never sees half of it."""
    file.parent.mkdir(exist_ok=True)
    unfinished = file.with_suffix(".tmp")
    unfinished.write_text(text)
    unfinished.replace(file)

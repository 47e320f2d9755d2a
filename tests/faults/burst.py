"""The pipeline that is killed: orders from Kafka and files from a folder, each with a reader."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pydantic import BaseModel

from reactor import Event, Pipeline
from sensors import FileArrivals, KafkaTopic


class Order(BaseModel):
    n: int


burst = Pipeline("burst", owner="nobody")
orders = KafkaTopic(
    os.environ["BURST_TOPIC"],
    model=Order,
    bootstrap=os.environ["BURST_KAFKA"],
    start="earliest",
    name="orders",
)
files = FileArrivals(os.environ["BURST_FOLDER"] + "/*.csv", name="files")


@burst.asset(on=orders)
async def ordered(events: Sequence[Event]) -> int:
    return len(events)


@burst.asset(on=files)
def filed(events: Sequence[Event]) -> int:
    return len(events)


@burst.asset
async def report(ordered: int, filed: int | None = None) -> int:
    return ordered + (filed or 0)

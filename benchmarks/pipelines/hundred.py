"""A hundred assets that wait: what it costs to stand by."""

from __future__ import annotations

from reactor import Pipeline
from sensors import FileArrivals, Schedule, Webhook

idle = Pipeline("idle", owner="bench")

for number in range(3):
    inbox = FileArrivals(f"in{number}/*.csv")
    for member in range(30):

        @idle.asset(name=f"asset_{number}_{member}", on=inbox)
        async def asset() -> None: ...


@idle.asset(on=Webhook("hook"))
async def hooked() -> None: ...


for number in range(9):

    @idle.asset(name=f"nightly_{number}", on=Schedule("0 3 * * *", name=f"nightly_{number}"))
    async def nightly() -> None: ...

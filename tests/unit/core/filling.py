"""A stage with the verbs of backfills."""

from __future__ import annotations

from typing import Any

from reactor.core.backfill import backfill_of
from reactor.core.decision import Order, RetryBackfill, SetBackfill, StartBackfill
from reactor.core.run import Run
from reactor.core.state import Backfill, Table
from tests.unit.core.stage import Stage


class Filling(Stage):
    """Backfills, the runs they launched, and what of them runs."""

    def fill(self, asset: str, *partitions: str, **options: Any) -> None:
        """Starts a backfill."""
        self.receive(StartBackfill((asset,), partitions, **options))

    def set(self, id: int, order: str) -> None:
        """Pauses, resumes or cancels one."""
        self.receive(SetBackfill(id, Order(order)))

    def retry(self, id: int) -> None:
        """Lets an ended one go on, with its row as the store holds it."""
        self.receive(RetryBackfill(self.backfill(id)))

    def backfill(self, id: int) -> Backfill:
        """One as the store holds it."""
        return self.table[Table.BACKFILL, (id,)]

    def launched(self, id: int) -> list[str | None]:
        """The partitions that it launched, in order."""
        return [run.partition for run in self.of_backfill(id)]

    def of_backfill(self, id: int) -> list[Run]:
        """The runs that it launched, oldest first."""
        return [run for run in self.runs if backfill_of(run.rule) == id]

    @property
    def partitions(self) -> list[str | None]:
        """The partitions that are being run, in the order in which they started."""
        return [s.partition for s in self.starts if s in self.going.get(s.asset, ())]

    def told_of(self, id: int) -> str:
        """One in brief: `running 2/5, 1 running, failed b`."""
        row = self.backfill(id)
        failed = f", failed {' '.join(row.failed)}" if row.failed else ""
        going = f", {row.running} running" if row.running else ""
        return f"{row.status} {row.done}/{len(row.partitions)}{going}{failed}"

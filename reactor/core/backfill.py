"""Backfills: many partitions brought up to date as one thing, a few at a time, behind all else.

Knows: the rows of backfills, which runs are theirs, and how those ended. Refuses to know: how a run
is planned (reactor.py) and which step starts next (scheduler.py).

Laws: each partition is launched once, in order; at most `limit` runs of a backfill are live; of the
partitions before `next`, those that are not counted in `done` are just those that have a live run.
So what is live follows from the live runs, whose rule names the backfill, and nothing is lost or
launched twice whenever the process dies. A run that failed stops nothing else of its backfill. One
that waits for an input that is not there stands aside, as another partition may make it: it does
not count for the limit, and is given up when nothing else of the backfill is left: well, if it is
only what follows that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from reactor.core import alert
from reactor.core.decision import Effect, Order, RetryBackfill, SetBackfill, StartBackfill
from reactor.core.run import GOOD, Run, RunStatus, Step, StepStatus
from reactor.core.state import Backfill, BackfillStatus, State, Table

LAST = -(2**31)
"""The priority of a backfill's runs: whatever else may start goes first."""

_HEAD = "backfill "
_CANCELLED = "its backfill was cancelled"


def rule_name(id: int) -> str:
    """What stands for a rule in the runs of a backfill."""
    return f"{_HEAD}{id}"


def backfill_of(rule: str) -> int | None:
    """The backfill that a run with this rule belongs to, or None."""
    digits = rule.removeprefix(_HEAD)
    return int(digits) if digits != rule and digits.isdecimal() else None


class Line(Protocol):
    """What a backfill needs of the scheduler."""

    @property
    def effects(self) -> list[Effect]: ...

    def going(self, rule: str, partition: str | None) -> list[int]: ...

    def cancel(self, run: int, reason: str, now: datetime) -> None: ...


Launch = Callable[[Backfill, str, datetime], int | None]
"""Launches one partition; answers the run, or None if the pipeline has no such partition."""


class Backfills:
    """The backfills that have not ended.

    Beside the rows, and derived from them: the live runs (`_runs`), the run of each partition that
    is launched (`_live`), which of these stand aside, and why (`_aside`), which were given up well
    in this turn (`_given`), and which backfills have to be looked at (`_moved`).
    """

    def __init__(self, state: State, line: Line, launch: Launch) -> None:
        self._state, self._line, self._launch = state, line, launch
        self.reload()

    def reload(self) -> None:
        """Derives what is live from the rows: after a load, or after a turn was undone."""
        self._runs: dict[int, tuple[int, str]] = {}
        self._live: dict[int, dict[str, int]] = {id: {} for (id,) in self._rows()}
        self._aside: dict[int, dict[int, str]] = {id: {} for id in self._live}
        self._given: set[int] = set()
        self._moved: set[int] = set(self._live)
        runs: list[Run] = list(self._state.rows[Table.RUN].values())
        for run in sorted(runs, key=lambda run: run.id):
            id = backfill_of(run.rule)
            if id in self._live and run.partition is not None:
                self._follow(id, run.partition, run.id)

    def _rows(self) -> dict[tuple[int], Backfill]:
        return self._state.rows[Table.BACKFILL]  # type: ignore[return-value]

    def _follow(self, id: int, partition: str, run: int) -> None:
        """From now on this run tells what becomes of a partition."""
        before = self._live[id].get(partition)
        if before is not None:
            self._runs.pop(before, None)
            self._aside[id].pop(before, None)
        self._live[id][partition] = run
        self._runs[run] = (id, partition)
        self._look(run)

    def _put(self, row: Backfill) -> None:
        self._state.put(Table.BACKFILL, (row.id,), row)
        self._moved.add(row.id)

    def take(self, command: StartBackfill | SetBackfill | RetryBackfill, now: datetime) -> None:
        """An operator's command. What it makes room for, `settle` launches."""
        match command:
            case StartBackfill():
                self._start(command, now)
            case SetBackfill():
                self._set(command, now)
            case RetryBackfill(row):
                self._retry(row)

    def _start(self, command: StartBackfill, now: datetime) -> None:
        """The same token twice is one backfill."""
        partitions = tuple(dict.fromkeys(command.partitions))
        known = command.token and any(row.token == command.token for row in self._rows().values())
        if known or not partitions or not command.assets:
            return
        id = self._state.next("backfill")
        self._live[id], self._aside[id] = {}, {}
        self._put(
            Backfill(
                id,
                tuple(dict.fromkeys(command.assets)),
                partitions,
                max(1, command.limit),
                command.downstream,
                BackfillStatus.RUNNING,
                now,
                command.reason,
                token=command.token,
            )
        )

    def _set(self, command: SetBackfill, now: datetime) -> None:
        """One that has ended, or is being cancelled, stays as it is."""
        row: Backfill | None = self._state.get(Table.BACKFILL, command.id)
        if row is None or row.status is BackfillStatus.CANCELLED:
            return
        match command.order:
            case Order.PAUSE:
                self._put(replace(row, status=BackfillStatus.PAUSED))
            case Order.RESUME:
                self._put(replace(row, status=BackfillStatus.RUNNING))
            case Order.CANCEL:
                self._put(replace(row, status=BackfillStatus.CANCELLED))
                for run in self._live[row.id].values():
                    self._line.cancel(run, _CANCELLED, now)

    def _retry(self, row: Backfill) -> None:
        """An ended backfill goes on with what it did not bring up to date.

        One that goes on already, or has nothing left, stays as it is.
        """
        failed = set(row.failed)
        well = tuple(key for key in row.partitions[: row.next] if key not in failed)
        again = tuple(key for key in row.partitions[: row.next] if key in failed)
        rest = again + row.partitions[row.next :]
        if not rest or row.finished is None or self._state.get(Table.BACKFILL, row.id) is not None:
            return
        self._live[row.id], self._aside[row.id] = {}, {}
        self._put(
            replace(
                row,
                partitions=well + rest,
                status=BackfillStatus.RUNNING,
                finished=None,
                next=len(well),
                done=len(well),
                failed=(),
            )
        )

    def resumed(self, run: Run) -> None:
        """An operator let an ended run go on: what became of its partition is open again."""
        id = backfill_of(run.rule)
        row: Backfill | None = self._state.get(Table.BACKFILL, id)
        if id is None or row is None or self._state.get(Table.RUN, run.id) is None:
            return
        partition = run.partition
        if partition is None or partition in self._live[id]:
            return
        if partition in row.partitions[: row.next]:
            failed = tuple(key for key in row.failed if key != partition)
            self._put(replace(row, done=row.done - 1, failed=failed))
            self._follow(id, partition, run.id)

    def settle(self, now: datetime) -> bool:
        """Counts the runs that ended this turn, and launches as many as there is room for.

        Returns: whether anything was launched, or given up.
        Cost: O(what ended and what is launched).
        """
        if not self._live:
            return False
        for run in [row for row in self._state.forgotten(Table.RUN) if row.id in self._runs]:
            self._ended(run)
        steps: list[Step] = self._state.changed(Table.STEP)
        for run in sorted({run for step in steps for run in step.runs if run in self._runs}):
            self._look(run)
        moved = sorted(self._moved)
        self._moved.clear()
        acted = [self._top_up(id, now) for id in moved]
        return any(acted)

    def _look(self, run: int) -> None:
        """Lets a run stand aside, or count again."""
        id, _ = self._runs[run]
        aside, why = self._aside[id], self._stuck(self._state.rows[Table.RUN][(run,)])
        if bool(why) != (run in aside):
            self._moved.add(id)
        if why:
            aside[run] = why
        else:
            aside.pop(run, None)

    def _stuck(self, run: Run) -> str:
        """What a run waits for in vain; empty if something of it may still go on."""
        if run.status is not RunStatus.RUNNING:
            return ""
        why = ""
        waits: set[int] = set()
        for at, work in enumerate(run.works):
            step: Step | None = self._state.get(Table.STEP, work.step)
            if step is None or step.finished is not None:
                continue
            if step.status is StepStatus.BLOCKED:
                why = why or f"{step.asset} {step.note}"
            elif step.status is not StepStatus.PENDING or waits.isdisjoint(work.upstream):
                return ""
            waits.add(at)
        return why

    def _ended(self, run: Run) -> None:
        id, partition = self._runs.pop(run.id)
        del self._live[id][partition]
        self._aside[id].pop(run.id, None)
        others = self._line.going(run.rule, partition)
        if others:
            # It was planned again, or an older run of the partition was resumed.
            self._follow(id, partition, others[-1])
            return
        row = self._rows()[(id,)]
        well = run.status is RunStatus.SUCCEEDED or run.id in self._given
        self._given.discard(run.id)
        failed = [] if well else [partition]
        self._put(_counted(row, [partition], failed))

    def _roots_done(self, run: Run) -> bool:
        """Whether what was asked for has been done, and only what follows waits."""
        steps = (self._state.get(Table.STEP, work.step) for work in run.works if work.root)
        return all(step is not None and step.status in GOOD for step in steps)

    def _top_up(self, id: int, now: datetime) -> bool:
        before = row = self._rows()[(id,)]
        live, aside, following = self._live[id], self._aside[id], row.next
        lost: list[str] = []
        launched = False
        while (
            row.status is BackfillStatus.RUNNING
            and following < len(row.partitions)
            and len(live) - len(aside) < row.limit
        ):
            partition = row.partitions[following]
            following += 1
            going = self._line.going(rule_name(id), partition)
            run = going[-1] if going else self._launch(row, partition, now)
            if run is None:
                lost.append(partition)
            else:
                self._follow(id, partition, run)
                launched = True
        if following > row.next:
            row = replace(_counted(row, lost, lost), next=following)
        if not live:
            row = _over(row, now)
        if row is not before:
            self._state.put(Table.BACKFILL, (id,), row)
        if row.finished is not None:
            self._state.forget(Table.BACKFILL, id)
            del self._live[id], self._aside[id]
            notice = alert.over(self._state, rule_name(id), row, now)
            if notice:
                self._line.effects.append(notice)
        elif row.status is BackfillStatus.RUNNING and len(aside) == len(live):
            # All is launched, and whatever is left waits for what none of it makes.
            for run, why in sorted(aside.items()):
                if self._roots_done(self._state.rows[Table.RUN][(run,)]):
                    self._given.add(run)
                self._line.cancel(run, why, now)
            return True
        return launched


def _counted(row: Backfill, ended: Sequence[str], failed: Sequence[str]) -> Backfill:
    """The backfill with more partitions that ended, and those of them that failed."""
    return replace(row, done=row.done + len(ended), failed=(*row.failed, *failed))


def _over(row: Backfill, now: datetime) -> Backfill:
    """The backfill, of which nothing is live, ended if nothing is left to do."""
    if row.status is BackfillStatus.CANCELLED:
        return replace(row, finished=now)
    if row.next < len(row.partitions):
        return row
    status = BackfillStatus.FAILED if row.failed else BackfillStatus.SUCCEEDED
    return replace(row, status=status, finished=now)

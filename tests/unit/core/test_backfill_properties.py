"""Random histories of backfills, with deaths of the process, against a count made by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.backfill import backfill_of
from reactor.core.decision import (
    Decision,
    Input,
    Order,
    RetryBackfill,
    SetBackfill,
    StartBackfill,
)
from reactor.core.state import Backfill, BackfillStatus, Table
from tests.unit.core.depth import examples
from tests.unit.core.filling import Filling
from tests.unit.core.stage import drawn
from tests.unit.core.world import World, random_graph, without_timeouts

KEYS = ("k1", "k2", "k3", "k4", "k5")
ACTIONS = st.lists(st.integers(0, 16), max_size=50)


class Backfilling(World, Filling):
    """A world in which backfills come and go. `asked` counts, by backfill, how often each of its
    partitions has to be launched; of those in `resumed` a run was resumed, of those in `waited` one
    waited for an input, and stood aside.
    """

    def __init__(self, seed: int) -> None:
        graph = without_timeouts(random_graph(random.Random(seed), 4))
        super().__init__(graph, seed + 1, undoes=0.1)
        self.asked: dict[int, Counter[str]] = {}
        self.resumed: set[int] = set()
        self.waited: set[int] = set()

    @property
    def backfills(self) -> list[Backfill]:
        return self._all(Table.BACKFILL)

    def receive(self, *inputs: Input) -> Decision:
        decision = super().receive(*inputs)
        for row in self.backfills:
            runs = {run.id for run in self.of_backfill(row.id)}
            if any("waits for" in step.note and runs & {*step.runs} for step in self.steps):
                self.waited.add(row.id)
            live = {run.partition for run in self.of_backfill(row.id) if not run.finished}
            if row.finished is None:
                assert row.running == len(live), "what is live does not follow from the runs"
                assert len(live) <= row.limit or row.id in self.resumed | self.waited
            assert len(set(row.failed)) == len(row.failed) <= row.done <= row.next
        return decision

    def act(self, action: int) -> None:
        chance = self.chance
        open_ = [row for row in self.backfills if row.finished is None]
        ended = [row for row in self.backfills if row.finished is not None]
        match action:
            case 13:
                keys = tuple(chance.sample(KEYS, chance.randrange(1, 6)))
                asset = chance.choice(sorted(self.graph.assets))
                self.asked[len(self.backfills) + 1] = Counter(keys)
                down = chance.random() < 0.5
                self.receive(StartBackfill((asset,), keys, chance.choice([1, 2, 9]), down))
            case 14 | 15 if open_:
                order = chance.choice([Order.PAUSE, Order.RESUME, Order.RESUME, Order.CANCEL])
                self.receive(SetBackfill(chance.choice(open_).id, order))
            case 16 if ended:
                row = chance.choice(ended)
                self.asked[row.id].update({*row.failed, *row.partitions[row.next :]})
                self.asked[row.id].subtract(row.partitions[row.next :])
                self.receive(RetryBackfill(row))
            case _:
                super().act(min(action, 12))

    def resume(self, run: int) -> Decision:
        id = backfill_of(self.run(run).rule)
        if id is not None:
            self.resumed.add(id)
        return super().resume(run)

    def finish(self) -> None:
        """Everything that may go on goes on, to its end."""
        for row in self.backfills:
            self.receive(SetBackfill(row.id, Order.RESUME))
        self.play_out()

    def count(self, id: int) -> Counter[str]:
        """How often a backfill launched each of its partitions."""
        return Counter(str(partition) for partition in self.launched(id))


@examples(40)
@given(st.integers(0, 2**32), ACTIONS)
def test_each_partition_is_launched_exactly_once_whatever_happens(
    seed: int, actions: list[int]
) -> None:
    world = Backfilling(seed)
    for action in actions:
        world.act(action)
    world.finish()
    for row in world.backfills:
        launched, asked = world.count(row.id), world.asked[row.id]
        assert launched <= asked
        if row.id in world.resumed or row.status is BackfillStatus.CANCELLED:
            continue
        assert launched == asked, row
        live = [run for run in world.of_backfill(row.id) if not run.finished]
        assert live or row.status is (
            BackfillStatus.FAILED if row.failed else BackfillStatus.SUCCEEDED
        )
        last = {run.partition: run.status for run in world.of_backfill(row.id) if run.finished}
        bad = {key for key, status in last.items() if status != "succeeded"}
        assert set(row.failed) <= bad
        assert row.id in world.waited or set(row.failed) == bad


def _played(
    keys: Sequence[str], limit: int, seed: int, between: Callable[[Filling], object]
) -> Filling:
    """A backfill to its end, some of it failing; something happens between any two turns."""
    stage, chance = Filling(drawn("raw, clean(raw), report(clean)")), random.Random(seed)
    stage.fill("raw", *keys, limit=limit)
    between(stage)
    while stage.going:
        act = stage.ends if chance.random() < 0.8 else stage.fails
        act(chance.choice(sorted(stage.going)))
        between(stage)
    return stage


def _reload(stage: Filling) -> None:
    """Another process goes on from the rows, without the attempts noticing."""
    stage.reactor = stage.loaded()


_ASKED = st.sets(st.sampled_from(KEYS), min_size=1).map(sorted)


@examples(30)
@given(_ASKED, st.integers(1, 6), st.integers(0, 2**32))
def test_what_is_remembered_follows_from_the_rows_at_every_point(
    keys: list[str], limit: int, seed: int
) -> None:
    whole, loaded = (_played(keys, limit, seed, between) for between in (repr, _reload))
    assert loaded.table == whole.table
    assert whole.launched(1) == keys
    failed = {run.partition for run in whole.runs if run.status == "failed"}
    assert set(whole.backfill(1).failed) == failed
    assert whole.told_of(1).startswith("failed" if failed else "succeeded")


@examples(30)
@given(_ASKED, st.integers(1, 6), st.integers(0, 2**32))
def test_a_process_that_is_killed_between_any_two_turns_loses_and_repeats_nothing(
    keys: list[str], limit: int, seed: int
) -> None:
    # A step that is lost three times is given up, and is one of those that failed.
    stage = _played(keys, limit, seed, Filling.restart)
    assert stage.launched(1) == keys
    row = stage.backfill(1)
    assert row.finished is not None
    assert row.done == row.next == len(keys)
    made = {step.partition for step in stage.of("report") if step.status == "materialized"}
    assert made == set(keys) - set(row.failed)

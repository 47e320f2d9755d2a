"""Random graphs, launches and outcomes against the promises of waves and demand."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.state import Table
from reactor.core.trigger.expression import leaves
from tests.unit.core.depth import examples
from tests.unit.core.world import World, random_graph, without_timeouts

ACTIONS = st.lists(st.integers(0, 12), max_size=40)


@examples(20)
@given(st.integers(0, 2**32), st.integers(1, 7), ACTIONS)
def test_no_tear_no_deadlock_and_every_run_ends(seed: int, size: int, actions: list[int]) -> None:
    world = World(random_graph(random.Random(seed), size), seed + 1)
    for action in actions:
        world.act(action)
    world.play_out()
    for run in world.runs:
        if run.finished:
            continue
        ids = [work.step for work in run.works if not world.step(work.step).finished]
        assert all(world.misses_something(id) for id in ids), f"run {run.id} never ends"


@examples(20)
@given(st.integers(0, 2**32), st.integers(1, 7), ACTIONS)
def test_what_waits_is_bounded_by_the_graph(seed: int, size: int, actions: list[int]) -> None:
    world = World(random_graph(random.Random(seed), size, tame=True), seed + 1)
    for action in actions:
        world.act(action if action < 12 and action != 9 else 0)
        live = [s for s in world.reactor.state.rows[Table.STEP].values() if s.finished is None]
        fresh = Counter(step.asset for step in live if step.tries == 0)
        for asset, number in fresh.items():
            # One pending and one behind, for each way in which it or what is above it can wait.
            assert number <= 2 * (len(world.graph.ancestors(asset)) + 2), fresh


def played_quietly(seed: int) -> World:
    """A random history with deaths of the process, but no failures or cancellations, to its end."""
    graph = without_timeouts(random_graph(random.Random(seed), 5))
    world = World(graph, seed + 1)
    restarts = 2
    for _ in range(20):
        action = world.chance.choice([0, 1, 3, 5, 6, 10, 11 if restarts else 0])
        restarts -= action == 11
        world.act(action)
    world.play_out()
    return world


@examples(20)
@given(st.integers(0, 2**32))
def test_every_event_reaches_each_asset_it_launches_exactly_once(seed: int) -> None:
    world = played_quietly(seed)
    ended = {step.id for step in world.steps if step.finished and step.status != "cancelled"}
    for rule in world.graph.rules.values():
        sources = {leaf.name for leaf in leaves(rule.trigger)}
        ours = [seq for seq, source in world.sources.items() if source in sources]
        for root in rule.assets:
            handed = Counter(seq for seq, step in set(world.handed.get(root, [])) if step in ended)
            for seq in ours:
                once = handed[seq] == 1 or (handed[seq] and rule.pending == "replace")
                assert once or world.waits(root), (root, seq, handed)


@examples(20)
@given(st.integers(0, 2**32))
def test_in_the_end_everything_was_made_from_the_newest_of_its_inputs(seed: int) -> None:
    world = played_quietly(seed)
    rows = world.reactor.state.rows[Table.MATERIALIZATION]
    for row in rows.values():
        if world.graph.assets[row.asset].follow and not world.waits(row.asset):
            for asset, partition, change in row.inputs:
                if partition != row.partition:
                    continue  # a change of the whole does not reach the partitions below it
                assert rows[asset, partition].change == change, (row.asset, asset)

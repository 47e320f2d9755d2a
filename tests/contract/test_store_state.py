"""Whatever the turns were, what is loaded is what the core holds."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.breach import Fact
from reactor.core.decision import Fired
from reactor.core.ranges import ranges, union
from reactor.core.run import Attempt, Materialization, Run, RunStatus, Step, StepStatus, Work
from reactor.core.state import (
    Alert,
    Backfill,
    BackfillStatus,
    Held,
    Hold,
    Node,
    Pause,
    RuleState,
    State,
    Table,
)
from reactor.store import open_store
from tests.contract.conftest import STORES
from tests.contract.turns import at, turn

pytestmark = pytest.mark.anyio

# Lone surrogates too: a hostile payload may hold them, and names are made of payloads.
_texts = st.text(st.characters(), max_size=6)
_names = st.one_of(st.none(), st.sampled_from(["", "=", "==", "a", "\udc80"]), _texts)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_steps = st.tuples(st.integers(0, 40), st.integers(0, 40), _names, _json)


def _frozen(data: Any) -> Any:
    """What an operator remembers holds tuples, not lists."""
    if isinstance(data, dict):
        return {name: _frozen(value) for name, value in data.items()}
    return tuple(_frozen(value) for value in data) if isinstance(data, list) else data


class Play:
    """Does to a `State` what the core does, one deed at a time, with made-up contents."""

    def __init__(self) -> None:
        self.state = State()
        self.fired: list[Fired] = []
        self.now = 0

    def deed(self, which: int, a: int, name: str | None, data: Any) -> None:
        self.now += 1
        deeds: list[Callable[[int, str | None, Any], None]] = [
            self.launch,
            self.launch,
            self.claim,
            self.claim,
            self.end_attempt,
            self.end_step,
            self.end_step,
            self.end_run,
            self.coalesce,
            self.take_over,
            self.replan,
            self.touch_node,
            self.drop_node,
            self.touch_rule,
            self.alert,
            self.resolve,
            self.pause,
            self.resume_paused,
            self.materialize,
            self.part,
            self.hold,
            self.backfill,
            self.end_what_lasts,
            self.count,
        ]
        deeds[which % len(deeds)](a, name, data)

    def pick(self, table: Table, a: int) -> Any:
        held = list(self.state.rows[table].values())
        return held[a % len(held)] if held else None

    def fire(self, run: int, a: int, timer: bool) -> tuple[tuple[int, int], ...]:
        seq = self.state.take("event", a % 7 + 1)
        singles = tuple((n,) for n in range(seq, seq + a % 7 + 1, a % 2 + 1))
        together = ((*range(max(1, seq - 3), seq + 1, 2),),)
        matches = singles if a % 3 else (*together, *singles, ())
        self.fired.append(
            Fired(self.state.next("firing"), "r", None, None, at(self.now), run, matches, timer)
        )
        return ranges(n for match in matches for n in match)

    def launch(self, a: int, name: str | None, data: Any) -> None:
        id = self.state.next("run")
        events = self.fire(id, a, timer=False) if a % 4 else ()
        works: list[Work] = []
        for n in range(a % 3 + 1):
            joined: Step | None = self.pick(Table.STEP, a + n) if a % 5 == 0 else None
            if joined is None or joined.finished or any(w.step == joined.id for w in works):
                number = self.state.next("step")
                row = Step(
                    number, f"asset{n}", name, StepStatus.PENDING, number, (id,), at(self.now)
                )
            else:
                row = joined._replace(runs=(*joined.runs, id))
            self.state.put(Table.STEP, (row.id,), row)
            upstream = tuple(range(n))
            works.append(Work(row.asset, name, row.id, upstream, str(data), n == 0))
        self.state.put(
            Table.RUN,
            (id,),
            Run(
                id,
                "rule",
                RunStatus.RUNNING,
                at(self.now),
                tuple(works),
                name,
                name,
                a,
                events=events,
            ),
        )

    def coalesce(self, a: int, name: str | None, data: Any) -> None:
        run: Run | None = self.pick(Table.RUN, a)
        if run is not None:
            events = union(run.events, self.fire(run.id, a, timer=True))
            self.state.put(Table.RUN, (run.id,), run._replace(events=events))

    def take_over(self, a: int, name: str | None, data: Any) -> None:
        """Events that a run has from one that it replaced, not from a firing of its own."""
        run: Run | None = self.pick(Table.RUN, a)
        if run is not None:
            events = union(run.events, ranges({a + 1, a + 2, 3 * a + 5}))
            self.state.put(Table.RUN, (run.id,), run._replace(events=events))

    def replan(self, a: int, name: str | None, data: Any) -> None:
        run: Run | None = self.pick(Table.RUN, a)
        if run is not None:
            works = tuple(replace(work, because=f"{data}") for work in run.works)
            status = RunStatus.HELD if a % 2 else RunStatus.RUNNING
            self.state.put(Table.RUN, (run.id,), run._replace(works=works, status=status))

    def claim(self, a: int, name: str | None, data: Any) -> None:
        step: Step | None = self.pick(Table.STEP, a)
        if step is not None and step.finished is None:
            tries = step.tries + 1
            inputs = (("asset0", name, a),) if a % 2 else ()
            claimed = step._replace(
                status=StepStatus.RUNNING,
                tries=tries,
                run_key=f"key{a}",
                started=at(self.now),
                deadline=at(self.now + 60),
                due=at(-a / 7),
                root=bool(a % 2),
                note=name or "",
                inputs=inputs,
            )
            self.state.put(Table.STEP, (step.id,), claimed)
            self.state.put(Table.ATTEMPT, (step.id, tries), Attempt(step.id, tries, at(self.now)))

    def end_attempt(self, a: int, name: str | None, data: Any) -> None:
        attempt: Attempt | None = self.pick(Table.ATTEMPT, a)
        if attempt is not None:
            key = (attempt.step, attempt.number)
            ended = attempt._replace(finished=at(self.now), outcome="failed", error=name or "")
            self.state.put(Table.ATTEMPT, key, ended)
            self.state.forget(Table.ATTEMPT, *key)

    def end_step(self, a: int, name: str | None, data: Any) -> None:
        step: Step | None = self.pick(Table.STEP, a)
        if step is not None and step.finished is None:
            ended = step._replace(status=StepStatus.FAILED, finished=at(self.now))
            self.state.put(Table.STEP, (step.id,), ended)
            self.let_go([step.id])

    def end_run(self, a: int, name: str | None, data: Any) -> None:
        run: Run | None = self.pick(Table.RUN, a)
        if run is None:
            return
        ended = run._replace(status=RunStatus.FAILED, finished=at(self.now))
        self.state.put(Table.RUN, (run.id,), ended)
        self.state.forget(Table.RUN, run.id)
        self.let_go([work.step for work in run.works])

    def let_go(self, steps: list[int]) -> None:
        """Forgets steps that ended and that no live run names."""
        needed = {w.step for each in self.state.rows[Table.RUN].values() for w in each.works}
        for id in steps:
            step: Step | None = self.state.get(Table.STEP, id)
            if step is not None and step.finished and id not in needed:
                self.state.forget(Table.STEP, id)

    def touch_node(self, a: int, name: str | None, data: Any) -> None:
        row = Node("rule", a % 3, name, {"held": _frozen(data)}, at(a) if a % 2 else None)
        self.state.put(Table.NODE, ("rule", a % 3, name), row)

    def drop_node(self, a: int, name: str | None, data: Any) -> None:
        row: Node | None = self.pick(Table.NODE, a)
        if row is not None:
            self.state.drop(Table.NODE, row.rule, row.node, row.key)

    def touch_rule(self, a: int, name: str | None, data: Any) -> None:
        rule = f"rule {a % 3}"
        if a % 5 == 0:
            self.state.drop(Table.RULE, rule)
        else:
            row = RuleState(rule, name or "", str(data))
            self.state.put(Table.RULE, (rule,), row)

    def alert(self, a: int, name: str | None, data: Any) -> None:
        key = f"asset{a % 2}"
        row = Alert(key, key, name or "", "failed", at(a), None, (key, str(name)), a)
        self.state.put(Table.ALERT, (key,), row)

    def resolve(self, a: int, name: str | None, data: Any) -> None:
        row: Alert | None = self.pick(Table.ALERT, a)
        if row is not None:
            self.state.put(Table.ALERT, (row.key,), replace(row, resolved=at(self.now)))
            self.state.forget(Table.ALERT, row.key)

    def pause(self, a: int, name: str | None, data: Any) -> None:
        self.state.put(Table.PAUSE, ("rule", name or "r"), Pause("rule", name or "r", at(self.now)))

    def resume_paused(self, a: int, name: str | None, data: Any) -> None:
        row: Pause | None = self.pick(Table.PAUSE, a)
        if row is not None:
            self.state.drop(Table.PAUSE, row.kind, row.name)

    def materialize(self, a: int, name: str | None, data: Any) -> None:
        row = Materialization(
            f"asset{a % 2}",
            name,
            a,
            at(self.now),
            data,
            name,
            {"rows": data} if a % 2 else None,
            (("asset0", name, a), ("asset1", None, 0)),
            a + 1,
            a,
        )
        self.state.put(Table.MATERIALIZATION, (row.asset, row.partition), row)

    def part(self, a: int, name: str | None, data: Any) -> None:
        key = (f"asset{a % 2}", name, str(data))
        if a % 5 == 0:
            self.state.drop(Table.PART, *key)
        else:
            self.state.put(Table.PART, key, a)

    def hold(self, a: int, name: str | None, data: Any) -> None:
        id = self.state.next("hold")
        facts = (
            Fact(str(data), name, a, (str(data),), "gone"),
            Fact("*", "table", None, (), name or ""),
        )
        row = Hold(id, "shop", name or "", (Held("raw", a, facts),), at(a), ((a, a + 1),))
        self.state.put(Table.HOLD, (id,), row)

    def backfill(self, a: int, name: str | None, data: Any) -> None:
        id = self.state.next("backfill")
        keys = (name or "", str(data))
        status = BackfillStatus.PAUSED if a % 2 else BackfillStatus.RUNNING
        row = Backfill(
            id, ("raw",), keys, a, a % 3 == 0, status, at(a), "why", None, 1, 1, keys[1:], str(a)
        )
        self.state.put(Table.BACKFILL, (id,), row)

    def end_what_lasts(self, a: int, name: str | None, data: Any) -> None:
        hold: Hold | None = self.pick(Table.HOLD, a)
        if hold is not None:
            ended = replace(hold, closed=at(self.now), ended="undone", readers=())
            self.state.put(Table.HOLD, (hold.id,), ended)
            self.state.forget(Table.HOLD, hold.id)
        backfill: Backfill | None = self.pick(Table.BACKFILL, a)
        if backfill is not None:
            through = replace(backfill, status=BackfillStatus.FAILED, finished=at(self.now))
            self.state.put(Table.BACKFILL, (backfill.id,), through)
            self.state.forget(Table.BACKFILL, backfill.id)

    def count(self, a: int, name: str | None, data: Any) -> None:
        self.state.next(name or "n")


@pytest.mark.parametrize("kind", sorted(STORES))
@given(turns=st.lists(st.tuples(st.booleans(), st.lists(_steps, max_size=8)), max_size=8))
@settings(max_examples=40)
async def test_a_load_gives_what_the_core_holds(kind: str, turns: list[Any]) -> None:
    play = Play()
    with tempfile.TemporaryDirectory() as folder:
        url = STORES[kind](Path(folder))
        async with open_store(url) as store:
            for recorded, deeds in turns:
                for deed in deeds:
                    play.deed(*deed)
                changes = play.state.end_turn()
                if recorded:
                    await store.commit(turn(changes=changes, fired=play.fired))
                else:
                    play.state.undo(changes)
                play.fired = []
            assert (await store.load()).rows == play.state.rows


async def test_a_run_that_is_resumed_is_live_again(store_url: str) -> None:
    play = Play()
    async with open_store(store_url) as store:
        play.launch(1, "daily", None)
        play.end_step(0, None, None)
        play.end_step(1, None, None)
        play.end_run(0, None, None)
        await store.commit(turn(changes=play.state.end_turn(), fired=play.fired))
        assert not (await store.load()).rows[Table.RUN]

        recalled = await store.recall(1)
        assert recalled is not None
        run, steps = recalled
        assert run.events == ((1, 2),) or run.events == ((1, 1),)
        assert [step.status for step in steps] == [StepStatus.FAILED, StepStatus.FAILED]

        again = run._replace(status=RunStatus.RUNNING, finished=None)
        play.state.put(Table.RUN, (1,), again)
        for step in steps:
            back = step._replace(status=StepStatus.PENDING, finished=None)
            play.state.put(Table.STEP, (step.id,), back)
        await store.commit(turn(changes=play.state.end_turn()))

        assert (await store.load()).rows == play.state.rows
        assert await store.recall(2) is None

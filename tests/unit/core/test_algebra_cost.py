"""What the operators write, keep and let go of: counted, not timed."""

from __future__ import annotations

import pytest

from reactor.core import memory
from reactor.core.asset import Asset, Rule
from reactor.core.decision import Arrived, Decision
from reactor.core.field import field
from reactor.core.graph import Graph
from reactor.core.state import Change, Table
from reactor.core.trigger.expression import Trigger, at_least
from tests.unit.core.ear import Ear
from tests.unit.core.stage import Stage
from tests.unit.core.tap import Tap
from tests.unit.core.test_cost import assert_flat, cost

A, B = Tap("a").by(field.k), Tap("b").by(field.k)
DAY = 86_400
MONTH = 31 * DAY

FORGETFUL = [
    (A & B).within("1m"),
    (A & B).within("1m", pair="collect"),
    at_least(2, A, B, A.where(field.n == 9)).within("1m", pair="oldest"),
    (A & B).within("1m").incomplete(),
    A.then(B).within("1m"),
    A.then(B).within("1m").incomplete(),
    A.unless(B, within="1m"),
    A.silent_for("1m"),
    A.complete(["x", "0"], "1m", member=field.n),
    A.complete(["x", "0"], "1m", member=field.n).incomplete(),
    A.complete(field.all, "1m", member=field.n),
    A.count(1_000, within="1m"),
    A.aggregate("1m", sum=field.n > 10),
    A.batch(1_000, "1m"),
    A.debounce("30s", "1m"),
    A.throttle("1m"),
    A.delay("1m"),
    A.during("00:10-23:00"),
    A.distinct(field.n, ttl="1m"),
]
PATIENT = [A.changed(field.n), A.overdue("0 12 * * *")]
"""What has no window: it lets go of a key after a month."""
ALL = [*FORGETFUL, *PATIENT]
on_all = pytest.mark.parametrize("trigger", ALL, ids=str)


def written(decision: Decision) -> list[Change]:
    return [change for change in decision.facts.changes if change.table is Table.NODE]


def come(ear: Ear, *keys: str) -> Decision:
    """An event for each key, all in one turn."""
    taps = [Tap("a").event(f"e{n}", 0, k=key, n=0) for n, key in enumerate(keys)]
    decision = ear.receive(Arrived("a", taps))
    ear.told_by(decision)
    return decision


@on_all
def test_a_turn_of_many_events_of_a_key_writes_one_row(trigger: Trigger) -> None:
    ear = Ear(trigger)
    assert len(written(come(ear, *"x" * 50))) <= 1
    assert len(written(come(ear, *"xyz" * 20))) <= 3


@on_all
def test_an_event_touches_the_row_of_its_own_key_and_rule_only(trigger: Trigger) -> None:
    rules = [Rule(f"r{n}", trigger.where(field.n != n), ("x",), observe=True) for n in range(9)]
    rules += [Rule("mine", trigger, ("x",), observe=True)]
    stage = Stage(Graph.of("g", [Asset("x")], rules))
    events = [Tap("a").event(f"e{n}", 0, k=str(n), n=0) for n in range(200)]
    stage.receive(Arrived("a", events))
    changed = written(stage.receive(Arrived("a", [Tap("a").event("e", 0, k="7", n=0)])))
    assert len(changed) <= len(rules), "a row a rule"
    assert {_key(change) for change in changed} <= {"7"}


def _key(change: Change) -> str:
    text: str = change.key[2]
    return text.split('"')[1] if text.startswith("[") else text


@on_all
def test_an_event_costs_the_same_however_many_keys_are_kept(trigger: Trigger) -> None:
    def one(others: int) -> int:
        stage = Stage(Graph.of("g", [Asset("x")], [Rule("r", trigger, ("x",), observe=True)]))
        events = [Tap("a").event(f"e{n}", 0, k=str(n), n=0) for n in range(others)]
        stage.receive(Arrived("a", events), Arrived("a", (), stage.now))
        return cost(stage, Arrived("a", [Tap("a").event("e", 0, k="7", n=0)]))

    assert_flat(one)


@pytest.mark.parametrize("trigger", FORGETFUL, ids=str)
def test_a_key_that_is_idle_is_let_go_of(trigger: Trigger) -> None:
    ear = Ear(trigger)
    come(ear, *"pqrstuvw")
    for second in range(0, 1_000, 50):
        ear.waits(second, "a", "b")
    assert ear.remembers == 0
    assert ear.reactor.wake_at() is None


@pytest.mark.parametrize("trigger", PATIENT, ids=str)
def test_a_key_without_a_window_is_let_go_of_after_a_month(trigger: Trigger) -> None:
    ear = Ear(trigger)
    come(ear, *"pq")
    for day in (1, 20):
        ear.waits(day * DAY, "a")
        assert ear.remembers == 2
    for day in range(21, 70):
        ear.waits(day * DAY, "a")
    assert ear.remembers == 0


@on_all
def test_an_operator_keeps_so_many_keys_and_tells_what_it_lets_go_of(
    trigger: Trigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "KEY_CAP", 5)
    ear = Ear(trigger)
    fired = [come(ear, key).facts.fired for key in "pqrstuvw"]
    assert ear.remembers == 5
    told = sum(ear.lost.values()) + sum(len(each) for each in fired)
    kept = sum(bool(ear.reactor.waiting_for(seq)) for seq in ear.subjects)
    assert told + kept >= 8, "each of them is accounted for"


@on_all
def test_what_is_kept_is_json_in_tuples(trigger: Trigger) -> None:
    ear = Ear(trigger)
    come(ear, *"xy")
    ear.hears("b", k="y")
    assert ear.loaded().state.rows[Table.NODE] == ear.reactor.state.rows[Table.NODE]

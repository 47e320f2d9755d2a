"""What became of events: written with the turn, found by event, and gone with the events."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event as event_api

from reactor.core.decision import Fate, PredicateRaised, Word
from reactor.core.ranges import numbers, ranges
from reactor.core.run import RunStatus
from reactor.core.state import Node, RuleState, Table
from reactor.store import open_store, queries
from reactor.store.aftermath import aftermath
from reactor.store.database import Database
from reactor.store.retention import held
from tests.contract.conftest import STORES
from tests.contract.turns import at, event, fired, put, rows, run, step, turn

pytestmark = pytest.mark.anyio

FOR_EVER = at(10_000)


def fate(rule: str, word: Word, *seqs: int, why: str = "") -> Fate:
    return Fate(rule, word, ranges(seqs), why)


async def test_an_event_shows_the_fates_that_name_it(store: Database) -> None:
    await store.commit(
        turn(
            accepted=[event(n) for n in range(1, 8)],
            fates=[
                fate("joined", Word.SUPERSEDED, 1, 3, 4, why="a later one came"),
                fate("joined", Word.EXPIRED, 2, why="payments did not come"),
                fate("calm", Word.THROTTLED, 3),
            ],
            when=at(20),
        )
    )

    found = await store.read.event(3)

    assert found is not None
    assert found["fates"] == [
        {
            "rule": "joined",
            "word": "superseded",
            "at": "2026-03-01T12:00:20.000000Z",
            "why": "a later one came",
        },
        {"rule": "calm", "word": "throttled", "at": "2026-03-01T12:00:20.000000Z", "why": ""},
    ]
    assert [each["word"] for each in (await store.read.event(2) or {})["fates"]] == ["expired"]
    assert (await store.read.event(5) or {})["fates"] == []


async def test_an_event_shows_the_errors_that_it_made_rules_raise(store: Database) -> None:
    await store.commit(
        turn(
            accepted=[event(1), event(2)],
            raised=[PredicateRaised("daily", "orders/2", "KeyError: 'x'")],
        )
    )

    assert (await store.read.event(1) or {})["raised"] == []
    [wrong] = (await store.read.event(2) or {})["raised"]
    assert (wrong["rule"], wrong["error"]) == ("daily", "KeyError: 'x'")


async def test_a_fate_without_events_is_not_written(store: Database) -> None:
    await store.commit(turn(fates=[Fate("joined", Word.EXPIRED, (), "")]))

    assert await store.read.fate_counts(at(-1)) == []


async def test_fates_are_counted_by_rule_and_word_since_an_instant(store: Database) -> None:
    await store.commit(turn(fates=[fate("joined", Word.EXPIRED, 1, 2)], when=at(1)))
    await store.commit(
        turn(
            fates=[
                fate("joined", Word.EXPIRED, *range(10, 20)),
                fate("joined", Word.SUPERSEDED, 5),
                fate("calm", Word.EXPIRED, 7, 9),
            ],
            when=at(60),
        )
    )

    assert await store.read.fate_counts(at(2)) == [
        {"rule": "joined", "word": "expired", "count": 10},
        {"rule": "calm", "word": "expired", "count": 2},
        {"rule": "joined", "word": "superseded", "count": 1},
    ]
    assert (await store.read.fate_counts(at(0)))[0]["count"] == 12


async def test_a_list_of_events_says_what_became_of_each(store: Database) -> None:
    failed = run(1, step(1), status=RunStatus.FAILED, finished=at(9), events=((1, 2),))
    going = run(2, step(2), rule="other", events=((2, 2), (4, 4)))
    await store.commit(
        turn(
            accepted=[event(n) for n in range(1, 5)],
            fired=[fired(1, 1, (1,), (2,)), fired(2, 2, (4,), rule="other")],
            changes=rows(failed, going),
            fates=[fate("joined", Word.EXPIRED, 1, 3)],
            raised=[PredicateRaised("picky", "orders/3", "KeyError: 'x'")],
        )
    )

    found = {row["seq"]: row for row in await store.read.events(aftermaths=True)}

    assert [row["word"] for row in found[1]["fates"]] == ["expired"]
    assert [row["status"] for row in found[1]["runs"]] == ["failed"]
    assert [row["id"] for row in found[2]["runs"]] == [1, 2]
    assert [row["id"] for row in found[2]["firings"]] == [1]
    assert (found[3]["firings"], found[3]["runs"]) == ([], [])
    assert [row["error"] for row in found[3]["raised"]] == ["KeyError: 'x'"]
    assert found[4]["raised"] == []
    assert found[4]["runs"] == [{"id": 2, "rule": "other", "status": "running"}]
    assert "fates" not in (await store.read.events())[0]


async def test_a_long_list_takes_about_as_many_queries_as_a_short_one(store: Database) -> None:
    await store.commit(
        turn(
            accepted=[event(n) for n in range(1, 201)],
            fired=[fired(n, n, (n,)) for n in range(1, 201)],
            fates=[fate(f"r{n}", Word.EXPIRED, n) for n in range(1, 201)],
            changes=rows(*(run(n, step(n, runs=(n,))) for n in range(1, 201))),
        )
    )

    def queries_for(limit: int) -> Callable[[sa.Connection], int]:
        def count(connection: sa.Connection) -> int:
            seen: list[str] = []

            def note(*said: Any) -> None:
                seen.append(said[2])

            event_api.listen(connection, "before_cursor_execute", note)
            found = queries.events(connection, aftermaths=True, limit=limit)
            event_api.remove(connection, "before_cursor_execute", note)
            assert len(found) == limit
            assert all(row["firings"] and row["fates"] and row["runs"] for row in found)
            return len(seen)

        return count

    few, many = await store._read(queries_for(1)), await store._read(queries_for(100))

    assert few == 6
    assert many <= few + 2


_seqs = st.integers(1, 3_000)
_matches = st.lists(st.lists(_seqs, max_size=4).map(tuple), min_size=1, max_size=4)
_stretches = st.tuples(_seqs, st.integers(0, 900)).map(lambda s: range(s[0], s[0] + s[1]))


@pytest.mark.parametrize("kind", sorted(STORES))
@given(
    firings=st.lists(_matches, max_size=8),
    fates=st.lists(st.lists(_stretches, min_size=1, max_size=3), max_size=8),
    wanted=st.lists(_seqs, max_size=40),
)
@settings(max_examples=40)
async def test_what_names_an_event_is_found_whatever_else_there_is(
    kind: str,
    firings: list[list[tuple[int, ...]]],
    fates: list[list[range]],
    wanted: list[int],
) -> None:
    spread = [ranges(n for each in some for n in each) for some in fates]
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(STORES[kind](Path(folder))) as store:
            await store.commit(
                turn(
                    fired=[fired(n, None, *each) for n, each in enumerate(firings, 1)],
                    fates=[Fate(f"r{n}", Word.EXPIRED, each, "") for n, each in enumerate(spread)],
                )
            )
            found = await store._read(lambda connection: aftermath(connection, wanted))

    for seq in wanted:
        named = [n for n, each in enumerate(firings, 1) if any(seq in match for match in each)]
        met = [f"r{n}" for n, each in enumerate(spread) if seq in set(numbers(each))]
        assert [row["id"] for row in found[seq]["firings"]] == named
        assert [row["rule"] for row in found[seq]["fates"]] == met


async def test_fates_go_when_the_last_of_their_events_goes(store: Database) -> None:
    needed = Node("joined", 0, None, {"events": ((15, 15),)})
    await store.commit(
        turn(
            accepted=[event(n) for n in range(1, 31)],
            fates=[
                fate("joined", Word.EXPIRED, 1, 2),
                fate("joined", Word.SUPERSEDED, 9, 10),
                fate("calm", Word.THROTTLED, 15),
                fate("calm", Word.THROTTLED, 30),
                fate("calm", Word.THROTTLED, 99),
            ],
            changes=[put(Table.NODE, ("joined", 0, None), needed)],
            when=at(5),
        )
    )

    async def left() -> list[tuple[str, int]]:
        while (await store.prune(at(20), at(20), 2)).more:
            pass
        await store.prune(at(20), at(20), 2)
        counted = await store.read.fate_counts(at(0))
        return [(row["word"], row["count"]) for row in counted]

    # Event n was received at n + 0.5 seconds; 15 is needed.
    assert await left() == [("throttled", 2)]

    await store.commit(
        turn(changes=[put(Table.NODE, ("joined", 0, None), None, needed)], when=at(40))
    )
    assert await left() == [("throttled", 1)]


async def test_fates_are_kept_as_long_as_events_are_kept_for_ever(store: Database) -> None:
    await store.commit(turn(fates=[fate("joined", Word.EXPIRED, 1)], when=at(5)))

    await store.prune(at(0), FOR_EVER)

    assert len(await store.read.fate_counts(at(0))) == 1


async def test_all_events_that_a_range_in_the_state_stands_for_are_kept(store: Database) -> None:
    collected = Node("batch", 0, "eu", {"events": ((2, 5), (8, 8)), "first": 1_772_366_400_000_000})
    await store.commit(
        turn(
            accepted=[event(n) for n in range(1, 12)],
            changes=[put(Table.NODE, ("batch", 0, "eu"), collected)],
        )
    )

    while (await store.prune(FOR_EVER, FOR_EVER, 3)).more:
        pass

    assert [seq for seq, _ in await store.events([(1, 20)])] == [2, 3, 4, 5, 8]


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ({"events": [[2, 5], [8, 8]]}, {2, 3, 4, 5, 8}),
        ({"sides": [[[[[7, 7]], 1_772_366_400_000_000, "x"]], []]}, {7}),
        ({"a": [3, 2]}, {2, 3}),
        ({"a": [2, 1_772_366_400_000_000]}, {2}),
        ({"a": [1, 2, 3], "b": 4, "c": [5]}, {1, 2, 3, 4, 5}),
        ({"flags": [True, False], "n": [0, 1], "below": -1, "text": "7"}, {1}),
        ({"above": 101, "both": [1, 101], "last": 100}, {1, 100}),
        ([1, [2, 4.0], None], {1, 2}),
    ],
    ids=str,
)
def test_what_may_be_an_event_in_the_state_is_taken_for_one(data: Any, kept: set[int]) -> None:
    assert set(numbers(tuple(held(data, 100)))) == kept


async def test_a_rule_says_since_when_it_reads_as_it_does(store: Database) -> None:
    first = RuleState("daily", "one", "inbox")
    second = RuleState("daily", "two", "inbox | tables")
    await store.commit(turn(changes=[put(Table.RULE, ("daily",), first)], when=at(1)))
    await store.commit(turn(changes=[put(Table.RULE, ("daily",), second, first)], when=at(2)))
    same = RuleState("daily", "two", "inbox | tables")
    await store.commit(turn(changes=[put(Table.RULE, ("daily",), same, second)], when=at(3)))
    await store.commit(turn(changes=[put(Table.RULE, ("daily",), None, same)], when=at(4)))

    versions = await store.read.rule_versions("daily")

    assert [(row["trigger"], row["at"]) for row in versions] == [
        ("inbox | tables", "2026-03-01T12:00:02.000000Z"),
        ("inbox", "2026-03-01T12:00:01.000000Z"),
    ]
    assert await store.read.began() == {"daily": at(2)}
    known = (await store.read.rules())["daily"]
    assert (known["since"], known["changes"]) == ("2026-03-01T12:00:02.000000Z", 1)


async def test_a_rule_shows_its_firings_the_observed_ones_too(store: Database) -> None:
    await store.commit(
        turn(
            fired=[
                fired(1, 4, (1,)),
                fired(2, None, (2,), observed=True),
                fired(3, 5, (3,), rule="other"),
                fired(4, None, (4, 5), observed=True),
            ],
            changes=[
                put(Table.RULE, (name,), RuleState(name, "one", name))
                for name in ("daily", "other", "new")
            ],
            when=at(9),
        )
    )

    assert [row["id"] for row in await store.read.firings("daily")] == [4, 2, 1]
    assert [row["id"] for row in await store.read.firings("daily", observed=True)] == [4, 2]
    assert [row["id"] for row in await store.read.firings("daily", limit=1, before=4)] == [2]
    assert (await store.read.firings("daily"))[0]["matches"] == [[4, 5]]
    known = await store.read.rules()
    assert known["daily"]["fired"] == "2026-03-01T12:00:04.000000Z"
    assert (known["daily"]["run"], known["daily"]["observed"]) == (None, True)
    assert known["other"]["run"] == 5
    assert known["new"] == {
        "fired": None,
        "run": None,
        "observed": False,
        "since": "2026-03-01T12:00:09.000000Z",
        "changes": 0,
    }

"""What a schema sensor makes of two looks at the same tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.contract import Column, TableSchema
from reactor.core.event import Event
from sensors.schema.ledger import Baseline, Ledger

NOW = datetime(2026, 11, 2, tzinfo=UTC)
ORDERS = TableSchema((Column("id", "integer", False, 1), Column("amount", "integer")), ("id",), "7")
REFUNDS = TableSchema((Column("id", "integer", False),), (), "8")


class Watched:
    """Tables that are looked at again and again, with a restart before each look if asked."""

    def __init__(
        self, pattern: str = "*", baseline: Baseline = "record", restarts: bool = False
    ) -> None:
        self.pattern, self.restarts = pattern, restarts
        self.baseline: Baseline = baseline
        self.positions: dict[str, str] = {}
        self.ledger = self._opened()

    def _opened(self) -> Ledger:
        def matches(table: str) -> bool:
            return fnmatchcase(table, self.pattern)

        return Ledger("shop", self.pattern, matches, self.baseline, dict(self.positions))

    def look(self, tables: dict[str, TableSchema]) -> list[Event]:
        if self.restarts:
            self.ledger = self._opened()
        events: list[Event] = []
        for batch in self.ledger.compare(tables, NOW):
            for move in batch.moves:
                assert self.positions.get(move.part) == move.before
                assert move.after is not None
                self.positions[move.part] = move.after
            events += batch.events
        return events

    def says(self, tables: dict[str, TableSchema]) -> list[str]:
        return [f"{event.id} {event.data}" for event in self.look(tables)]


@pytest.fixture(params=[False, True], ids=["running", "restarted"])
def watched(request: Any) -> Watched:
    found = Watched(restarts=request.param)
    assert found.says({"orders": ORDERS, "refunds": REFUNDS}) == []
    return found


def test_a_renamed_table_is_gone_for_its_readers_and_says_where_to(watched: Watched) -> None:
    events = watched.look({"purchases": ORDERS, "refunds": REFUNDS})
    assert [f"{event.id} {event.data}" for event in events] == [
        "orders@1 orders: table renamed to purchases",
        "purchases@1 purchases: table created, renamed from orders",
    ]
    gone, come = (event.data for event in events)
    assert (gone.breaking, gone.kinds, gone.before, gone.after) == (
        True,
        ("table_renamed",),
        ORDERS,
        None,
    )
    assert gone.columns == ("id", "amount")
    assert (come.breaking, come.kinds, come.before, come.after) == (
        False,
        ("table_created",),
        None,
        ORDERS,
    )


def test_a_table_renamed_back_is_created_again(watched: Watched) -> None:
    watched.look({"purchases": ORDERS, "refunds": REFUNDS})
    assert watched.says({"orders": ORDERS, "refunds": REFUNDS}) == [
        "orders@2 orders: table created, renamed from purchases",
        "purchases@2 purchases: table renamed to orders",
    ]


def test_a_table_put_in_the_place_of_another_is_no_change_where_it_looks_the_same(
    watched: Watched,
) -> None:
    anew = replace(ORDERS, identity="9")
    watched.look({"orders": ORDERS, "orders_new": anew, "refunds": REFUNDS})
    swapped = {"orders": anew, "orders_old": ORDERS, "refunds": REFUNDS}
    assert watched.says(swapped) == [
        "orders_new@2 orders_new: table renamed to orders",
        "orders_old@1 orders_old: table created",
    ]
    assert watched.says(swapped) == []


def test_a_renamed_table_that_replaces_another_shows_that_ones_readers_what_differs(
    watched: Watched,
) -> None:
    assert watched.says({"refunds": ORDERS}) == [
        "orders@1 orders: table renamed to refunds",
        "refunds@1 refunds: column amount added (integer); key is (id), was ()",
    ]


def test_a_table_made_anew_under_another_name_was_not_renamed(watched: Watched) -> None:
    anew = replace(ORDERS, identity="9")
    assert watched.says({"purchases": anew, "refunds": REFUNDS}) == [
        "orders@1 orders: table dropped",
        "purchases@1 purchases: table created",
    ]


def test_without_an_identity_a_rename_is_a_drop_and_a_creation() -> None:
    bare = replace(ORDERS, identity=None)
    watched = Watched()
    watched.look({"orders": bare})
    assert watched.says({"purchases": bare}) == [
        "orders@1 orders: table dropped",
        "purchases@1 purchases: table created",
    ]


def test_a_table_renamed_out_of_the_pattern_is_dropped() -> None:
    watched = Watched("sales.*")
    watched.look({"sales.orders": ORDERS})
    assert watched.says({}) == ["sales.orders@1 sales.orders: table dropped"]


NAMES = st.sampled_from("abcd")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMES, NAMES),
        st.tuples(st.just("drop"), NAMES, NAMES),
        st.tuples(st.just("rename"), NAMES, NAMES),
        st.tuples(st.just("look"), NAMES, NAMES),
    )
)


@given(STEPS, st.booleans())
def test_who_follows_the_events_knows_which_table_has_which_name(
    steps: list[tuple[str, str, str]], restarts: bool
) -> None:
    watched = Watched(baseline="announce", restarts=restarts)
    tables: dict[str, TableSchema] = {}
    follower: dict[str, TableSchema] = {}
    looked: dict[str, TableSchema] = {}
    for number, (verb, name, other) in enumerate([*steps, ("look", "", "")]):
        if verb == "create" and name not in tables:
            tables[name] = replace(ORDERS, identity=str(number))
        elif verb == "drop":
            tables.pop(name, None)
        elif verb == "rename" and name in tables and other not in tables:
            tables[other] = tables.pop(name)
        elif verb == "look":
            for event in watched.look(tables):
                [change] = event.data.changes
                if change.kind == "table_created":
                    follower[event.data.table] = event.data.after
                else:
                    del follower[event.data.table]
                if change.after:
                    assert looked[change.before].identity == tables[change.after].identity
            looked = dict(tables)
            assert follower.keys() == tables.keys()

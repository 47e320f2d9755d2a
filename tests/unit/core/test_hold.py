"""Whom breaking changes hold, whom they launch, and when a hold is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.asset import Asset, Rule, Upstream
from reactor.core.contract import TableSchema
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.hold import UNDONE, UNREAD, Holds, Reach
from reactor.core.lineage import ALL, Lineage, declared
from reactor.core.state import Hold, State, Table
from reactor.core.trigger.expression import AssetEvents
from tests.unit.core.reference.shapes import (
    EVERYTHING,
    T,
    readers,
    seen,
    shape,
    shapes,
    told_by_history,
)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
AMOUNT, ID = declared({"orders": ["amount"]}), declared({"orders": ["id"]})
FULL, LESS = shape("id:integer amount:integer"), shape("id:integer")


def graph(*assets: Asset, heard: str = "") -> Graph:
    listens = Rule("listens", AssetEvents(heard, "held"), (assets[0].name,))
    return Graph.of("shop", assets, [listens] if heard else [])


def reader(
    name: str, lineage: Lineage | None, *above: str, owner: str = "", follow: bool = True
) -> Asset:
    return Asset(name, tuple(map(Upstream, above)), lineage=lineage, owner=owner, follow=follow)


SHOP = graph(
    reader("revenue", AMOUNT, owner="ann"),
    reader("count", ID, owner="bob"),
    reader("report", None, "revenue", "count", owner="ann"),
    reader("mirror", EVERYTHING, owner="eve"),
    reader("archive", None, "report", follow=False),
    heard="report",
)


class Play:
    """A table that changes, told to the holds of a pipeline."""

    def __init__(self, shop: Graph = SHOP, first: TableSchema | None = FULL) -> None:
        self.state = State()
        self.holds = Holds(shop, self.state)
        self.last, self.now = first, NOW

    def becomes(self, after: TableSchema | None) -> Reach:
        self.holds.begin()
        self.now += timedelta(minutes=1)
        data, self.last = seen(self.last, after), after
        seq = self.state.next("event")
        event = Event(str(seq), "shop", "schema.changed", T, self.now, self.now, data)
        return self.holds.take(event, seq, self.now)

    def loaded(self, shop: Graph) -> None:
        """The service starts again, with a pipeline that may be another one."""
        self.holds = Holds(shop, self.state)
        self.holds.adopt(self.now)

    @property
    def told(self) -> list[str]:
        return [f"{notice.alert.owner}: {notice.alert.text}" for notice in self.holds.notices]

    @property
    def held(self) -> list[str]:
        return list(self.holds.held)


def test_a_removed_column_holds_its_readers_and_what_follows_from_them() -> None:
    play = Play()
    reach = play.becomes(LESS)
    assert play.held == ["revenue", "report", "mirror"]
    assert list(reach.roots) == ["revenue", "mirror"]
    assert play.holds.why("report") == f"hold 1: {T}: column amount removed"


def test_a_change_that_breaks_some_launches_others() -> None:
    play = Play()
    reach = play.becomes(shape("id:bigint"))
    assert list(reach.roots) == ["revenue", "count", "mirror"]
    assert "count" not in play.held


def test_a_change_that_nobody_reads_reaches_nobody() -> None:
    play = Play(graph(reader("revenue", AMOUNT)))
    reach = play.becomes(shape("amount:integer"))
    assert (reach.roots, reach.why) == ({}, "no asset reads what changed")
    assert play.held == []
    assert not play.state.rows[Table.HOLD]


def test_all_owners_are_told_once_in_one_message() -> None:
    play = Play()
    play.becomes(LESS)
    assert play.told == [
        f"ann, eve: {T}: column amount removed; revenue, report and mirror held"
        " until `reactor ack 1`"
    ]
    play.becomes(None)
    assert [text.partition(":")[0] for text in play.told] == ["bob"]
    play.becomes(LESS)
    assert play.told == []


def test_the_end_of_a_hold_is_told() -> None:
    play = Play()
    play.becomes(LESS)
    play.becomes(FULL)
    assert play.told == [f"ann, eve: {T}: hold 1 is over: {UNDONE}"]
    assert play.state.end_turn()
    assert play.holds.open == []


def test_further_changes_widen_a_hold_and_what_is_undone_narrows_it() -> None:
    play = Play(first=shape("id:integer amount:integer"))
    play.becomes(LESS)
    play.becomes(shape("id:text"))
    [hold] = play.holds.open
    assert hold.columns == ("amount", "id")
    assert play.held == ["revenue", "count", "report", "mirror"]
    reach = play.becomes(shape("id:text amount:integer"))
    assert [hold.columns for hold in play.holds.open] == [("id",)]
    assert play.held == ["count", "report", "mirror"]
    assert list(reach.undone) == ["revenue"]


def test_what_held_an_asset_is_told_from_what_came_before() -> None:
    play = Play(first=shape("id:integer amount:integer"))
    play.becomes(LESS)
    play.becomes(shape("id:bigint"))
    play.becomes(shape("id:text"))
    reach = play.becomes(shape("id:bigint"))
    assert reach.undone == {"count": ((3, 3),)}


def test_an_asset_that_does_not_follow_goes_on_with_what_is_there() -> None:
    play = Play()
    play.becomes(LESS)
    assert "archive" not in play.held


def test_who_listens_is_told_of_each_held_asset_once() -> None:
    play = Play()
    play.becomes(LESS)
    assert [(event.source, event.type) for event in play.holds.events] == [("asset:report", "held")]
    play.becomes(None)
    assert play.holds.events == []


def test_an_acknowledged_change_holds_nobody_until_the_next_one() -> None:
    play = Play()
    play.becomes(LESS)
    play.holds.acknowledge(1, "acknowledged", play.now)
    assert play.held == []
    play.becomes(shape(""))
    assert [hold.id for hold in play.holds.open] == [2]


def test_who_no_longer_reads_what_broke_goes_on_with_the_loaded_pipeline() -> None:
    play = Play()
    play.becomes(LESS)
    play.loaded(graph(reader("revenue", ID), reader("mirror", EVERYTHING)))
    assert play.held == ["mirror"]
    play.loaded(graph(reader("revenue", ID)))
    assert play.held == []
    closed = [change.after for change in play.state.end_turn() if change.table is Table.HOLD]
    assert [hold.ended for hold in closed] == [UNREAD]


def test_who_reads_what_broke_with_the_loaded_pipeline_is_held() -> None:
    play = Play(graph(reader("revenue", AMOUNT)))
    play.becomes(LESS)
    play.loaded(graph(reader("revenue", AMOUNT), reader("copy", AMOUNT), reader("count", ID)))
    assert play.held == ["revenue", "copy"]


def test_an_asset_of_the_same_name_as_a_table_is_no_table() -> None:
    shop = graph(Asset("orders"), reader("revenue", AMOUNT, "orders"))
    play = Play(shop)
    assert play.becomes(LESS).roots == {}


def test_an_asset_may_be_called_as_the_table_that_it_reads() -> None:
    play = Play(graph(reader("orders", AMOUNT), reader("report", None, "orders")))
    play.becomes(LESS)
    assert play.held == ["orders", "report"]


def test_a_reader_of_a_table_that_was_made_anew_is_launched() -> None:
    play = Play(graph(reader("revenue", AMOUNT)))
    play.becomes(None)
    reach = play.becomes(FULL)
    assert (reach.roots, play.held) == ({"revenue": ALL}, [])


_names = ("r0", "r1", "r2")


@st.composite
def pipelines(draw: st.DrawFn) -> Graph:
    assets = [reader(name, draw(readers)) for name in _names]
    for number in range(draw(st.integers(0, 4))):
        above = draw(st.sets(st.sampled_from([asset.name for asset in assets]), min_size=1))
        follow = draw(st.booleans())
        assets.append(reader(f"d{number}", None, *sorted(above), follow=follow))
    return graph(*assets)


def broken_by_history(
    shop: Graph, history: list[TableSchema | None]
) -> Mapping[str, frozenset[str]]:
    told = {
        name: told_by_history(asset.lineage, history).broken
        for name, asset in shop.assets.items()
        if asset.lineage is not None
    }
    return {name: columns for name, columns in told.items() if columns}


@given(pipelines(), st.lists(shapes, min_size=1, max_size=8), st.sets(st.integers(0, 8)))
def test_who_is_held_follows_from_the_history_of_the_table_alone(
    shop: Graph, history: list[TableSchema | None], restarts: set[int]
) -> None:
    play = Play(shop, history[0])
    for number, after in enumerate(history[1:], 2):
        if number in restarts:
            held = play.held
            play.loaded(shop)
            assert play.held == held
        reach = play.becomes(after)
        broken = broken_by_history(shop, history[:number])
        assert set(play.held) == set(shop.affected(broken))
        assert [set(hold.assets) for hold in play.holds.open] == ([set(broken)] if broken else [])
        for hold in play.holds.open:
            assert set(hold.columns) == {name for names in broken.values() for name in names} - {""}
        assert not set(reach.undone) & {*broken, *reach.roots}


@given(pipelines(), st.lists(shapes, min_size=2, max_size=8))
def test_a_turn_that_is_taken_back_leaves_no_trace(
    shop: Graph, history: list[TableSchema | None]
) -> None:
    play = Play(shop, history[0])
    for after in history[1:]:
        play.state.end_turn()
        rows = {table: dict(of) for table, of in play.state.rows.items()}
        held, last = play.held, play.last
        play.becomes(after)
        play.state.undo(play.state.end_turn())
        play.holds.reload()
        assert (play.state.rows, play.held) == (rows, held)
        play.last = last
        play.becomes(after)


def test_holds_are_told_by_their_sensor_and_table() -> None:
    play = Play()
    play.becomes(LESS)
    [hold] = play.holds.open
    assert replace(hold, readers=()) == Hold(1, "shop", T, (), play.now, ((1, 1),))

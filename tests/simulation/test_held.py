"""What a user sees of breaking schema changes, told on a virtual clock."""

from __future__ import annotations

from reactor import Pipeline
from reactor.testing import simulate
from sensors import FileArrivals, SchemaChanges

shop = Pipeline("shop", owner="data@shop.example")
inbox = FileArrivals("inbox/*.csv")
tables = SchemaChanges("postgresql://localhost/shop", tables="public.*")


@shop.asset(on=inbox)
def raw(): ...


@shop.asset(reads={"orders": ["amount"]}, columns={"total": ["orders.amount"]})
def revenue(raw): ...


@shop.asset
def report(revenue): ...


@shop.asset(reads={"orders": ["id"]}, owner="ops@shop.example")
def count(): ...


watched = Pipeline("watched", sensors=[tables])
watched.include(shop)


def test_a_removed_column_holds_its_readers_and_the_rest_goes_on() -> None:
    with simulate(watched) as sim:
        sim.emit(tables.event("public.orders", removed="amount")).later("1s")
        assert sim.held == ["revenue", "report"]
        sim.emit(inbox.event("inbox/monday.csv")).later("1s")
        assert sim.launched == ["raw"]
        assert sim.alerts == [
            "public.orders: column amount removed; revenue and report held until `reactor ack 1`"
        ]


def test_an_acknowledged_change_is_caught_up_with_once() -> None:
    with simulate(watched) as sim:
        sim.emit(tables.event("public.orders", removed="amount")).later("1s")
        for day in ("monday", "tuesday", "wednesday"):
            sim.emit(inbox.event(f"inbox/{day}.csv")).later("1d")
        sim.ack("public.orders").later("1s")
        assert sim.launched == ["raw", "raw", "raw", "revenue", "report"]
        assert sim.held == []


def test_a_change_that_is_undone_runs_nothing() -> None:
    with simulate(watched) as sim:
        gone = tables.event("public.orders", removed="amount")
        sim.emit(gone).later("1d")
        sim.emit(tables.event("public.orders", added="amount")).later("1d")
        assert (sim.launched, sim.held) == ([], [])
        assert [run.status for run in sim.runs] == ["cancelled"]
        [fate] = sim.fates(gone)
        assert fate.text == (
            "launched what reads it in run 1, which was cancelled: revenue: the change was undone"
        )


def test_each_reader_is_held_by_what_it_reads() -> None:
    with simulate(watched) as sim:
        sim.emit(tables.event("public.orders", removed="amount", retyped="id")).later("1s")
        assert sim.held == ["revenue", "report", "count"]
        sim.emit(tables.event("public.orders", added="amount")).later("1s")
        assert sim.held == ["count"]


def test_a_hold_outlives_a_restart_and_ends_when_the_code_reads_something_else() -> None:
    fixed = Pipeline("watched", owner="data@shop.example", sensors=[tables])

    @fixed.asset(reads={"orders": ["total"]})
    def revenue(): ...

    with simulate(watched) as sim:
        sim.emit(tables.event("public.orders", renamed={"amount": "total"})).later("1s")
        sim.restart(watched, down="1h").later("1s")
        assert sim.held == ["revenue", "report"]
        sim.restart(fixed).later("1s")
        assert (sim.held, sim.launched) == ([], ["revenue"])
        assert sim.alerts[-1].endswith("is over: the pipeline no longer reads what changed")


def test_a_held_asset_can_be_forced() -> None:
    with simulate(watched) as sim:
        sim.emit(tables.event("public.orders", removed="amount")).later("1s")
        sim.emit(inbox.event("inbox/monday.csv")).later("1s")
        sim.materialize(revenue).later("1s")
        assert sim.launched == ["raw"]
        sim.materialize(revenue, force=True).later("1s")
        assert sim.launched == ["raw", "revenue", "report"]


def test_what_an_event_does_not_reach_says_why() -> None:
    with simulate(watched) as sim:
        comment = tables.event("public.orders", removed="comment")
        sim.emit(comment).later("1s")
        assert sim.why_not(count, comment) == (
            "count was not launched: schema: shop took it in, and it led to nothing:"
            " no asset reads what changed."
        )
        other = tables.event("public.customers", removed="id")
        sim.emit(other).later("1s")
        assert "no asset reads public.customers" in sim.why_not(count, other)


def test_an_event_that_reaches_others_says_so() -> None:
    with simulate(watched) as sim:
        gone = tables.event("public.orders", removed="amount")
        sim.emit(gone).later("1s")
        assert sim.why_not(count, gone) == (
            "count was not launched: it reads none of the changed columns, and schema: shop"
            " launched what reads it in run 1, which is held:"
            " revenue: hold 1: public.orders: column amount removed."
        )

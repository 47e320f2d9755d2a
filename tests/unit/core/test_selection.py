"""Which partitions an operator means, and what is said when that makes no sense."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from reactor.core.asset import Asset
from reactor.core.errors import ReactorError
from reactor.core.graph import Graph
from reactor.core.partition import Dynamic, Static
from reactor.core.selection import selected
from reactor.core.window import Daily

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
GRAPH = Graph.of(
    "shop",
    [
        Asset("daily", partitions=Daily("2026-01-01")),
        Asset("totals", partitions=Daily("2026-01-05")),
        Asset("regions", partitions=Static("eu", "us", "apac", "all of it")),
        Asset("customers", partitions=Dynamic("customer")),
        Asset("invoices", partitions=Dynamic("customer")),
        Asset("whole"),
    ],
    [],
)
MADE = {"daily": ["2026-01-02", "2026-01-03"], "customers": ["c2", "c1"], "invoices": ["c1"]}


def chosen(asset: str, wanted: str | Sequence[str]) -> list[str]:
    return list(selected(GRAPH, asset.split(), wanted, lambda name: MADE.get(name, []), NOW))


def days(*numbers: int) -> list[str]:
    return [f"2026-01-{number:02}" for number in numbers]


@pytest.mark.parametrize(
    ("asset", "wanted", "keys"),
    [
        ("daily", "2026-01-03..2026-01-06", days(3, 4, 5, 6)),
        ("daily", "2026-01-08..", days(8, 9, 10)),
        ("daily", "..2026-01-02", days(1, 2)),
        ("daily", "2026-01-09", days(9)),
        ("daily", "2026-01-09, 2026-01-02..2026-01-03,2026-01-09", days(9, 2, 3)),
        ("daily", "all", days(*range(1, 11))),
        ("daily", "missing", days(1, 4, 5, 6, 7, 8, 9, 10)),
        ("daily totals", "2026-01-05..2026-01-06", days(5, 6)),
        ("regions", "us,eu", ["us", "eu"]),
        ("regions", "eu..apac", ["eu", "us", "apac"]),
        ("regions", "all of it", ["all of it"]),
        ("customers", "all", ["c1", "c2"]),
        ("invoices", "missing", ["c2"]),
        ("customers", "c9", ["c9"]),
        ("customers", ["a,b", "c..d", "a,b"], ["a,b", "c..d"]),
    ],
)
def test_what_is_written_names_these_partitions(
    asset: str, wanted: str | Sequence[str], keys: list[str]
) -> None:
    assert chosen(asset, wanted) == keys


@pytest.mark.parametrize(
    ("asset", "wanted", "said"),
    [
        ("whole", "all", "whole has no partitions (materialize it whole; those with partitions: "),
        ("daily whole", "all", "whole has no partitions"),
        ("daily", "2026-01-06..2026-01-03", "write 2026-01-03..2026-01-06"),
        ("daily", "2026-01-06..2026-02-03", "2026-01-11 has not begun yet"),
        ("daily", "yesterday", "'yesterday'"),
        ("daily", "2025-12-31", "before the first day, 2026-01-01"),
        ("daily totals", "2026-01-04", "totals: 2026-01-04 is before the first day, 2026-01-05"),
        ("daily", "2026-01-01,", "''"),
        ("daily", "", "there are 2026-01-01, 2026-01-02"),
        ("regions", "uss", "did you mean us?"),
        ("regions", "apac..eu", "eu comes before apac"),
        ("regions", "eu..mars", "'mars' is no partition"),
        ("customers", "c1..c2", "has no order"),
        ("customers", "..c2", "has no order"),
        ("customers", "missing", "no partition of customers is missing (there are c1, c2, all"),
        ("daily", [], "no partition of daily is meant"),
    ],
)
def test_what_makes_no_sense_is_told_with_what_there_is(
    asset: str, wanted: str | Sequence[str], said: str
) -> None:
    with pytest.raises(ReactorError) as told:
        chosen(asset, wanted)
    assert said in str(told.value)


def test_there_is_a_limit_to_one_backfill() -> None:
    with pytest.raises(ReactorError) as told:
        chosen("customers", [f"c{number}" for number in range(100_001)])
    assert "100,001 partitions, and one backfill may have 100,000" in str(told.value)

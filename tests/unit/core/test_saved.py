"""Work saved on the jaffle shop: what a stream of events runs, beside the least that must run.

The least is computed the obvious way (benchmarks/minimum.py): a step must run if the content of a
column that it reads is another one than at its last run.
"""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.jaffle import COPIES, DAILY, MODELS, TABLES, graph
from benchmarks.saving import KINDS, Stream

LOADS = ("new rows", "rows that nobody uses", "the same again")


def test_the_facts_of_the_jaffle_shop_agree_with_each_other() -> None:
    columns = {f"raw_{table}": set(names) for table, names in TABLES.items()}
    for model in MODELS.values():
        assert all(column in columns[above] for above, column in model.reads), model.name
        columns[model.name] = set(model.columns)
    assert set(columns) == {*COPIES, *MODELS} >= DAILY
    read = {above for model in MODELS.values() for above in model.upstream}
    assert {*COPIES} <= read
    assert graph().affected(["raw_items"]) == (
        *("raw_items", "stg_order_items", "order_items", "orders", "customers"),
    )


@pytest.mark.parametrize("seed", range(4))
def test_loads_run_what_must_run_and_nothing_else(seed: int) -> None:
    stream = Stream(seed, filled=True)
    for happened in stream.plays(100, LOADS):
        assert Counter(happened.ours) == Counter(happened.least), happened.what
        assert len(happened.ours) <= happened.all
    assert stream.service.data == stream.minimum.data


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_what_must_run_does(seed: int) -> None:
    stream = Stream(seed, filled=True)
    for happened in stream.plays(100):
        assert not happened.missed, happened.what
    assert stream.service.data == stream.minimum.data


def test_every_kind_of_event_comes_up() -> None:
    assert {happened.what for happened in Stream().plays(150)} == set(KINDS)

"""Waves: who waits for whom when two steps touch the same asset partition."""

from __future__ import annotations

from itertools import pairwise

from reactor.core.asset import Retry
from reactor.core.field import field
from reactor.core.state import Table
from tests.unit.core.stage import Stage, drawn, rule


def test_a_reader_waits_for_an_earlier_writer() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    assert stage.running == ["raw"]
    stage.ends("raw")
    assert stage.running == ["clean"]


def test_a_writer_waits_for_an_earlier_reader() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.ends("raw")
    stage.fire("raw")
    assert stage.running == ["clean"]
    stage.ends("clean")
    assert stage.running == ["raw"]


def test_an_asset_is_never_written_twice_at_once() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    stage.fire("raw")
    assert stage.running == ["raw"]
    stage.ends("raw")
    assert stage.running == ["raw"]
    assert stage.states == "raw materialized, raw running"


def test_both_ends_of_a_diamond_see_one_change() -> None:
    stage = Stage(drawn("top, left(top), right(top), end(left right)"))
    stage.fire("top")
    stage.ends("top")
    stage.ends("left")
    stage.passes("1s")
    stage.fire("top")
    assert stage.running == ["right"], "top is not rewritten while right still has to read it"
    stage.ends("right")
    assert stage.running == ["end", "top"], "the end has all it reads; top goes on beside it"
    inputs = {name: step for name, _, step in stage.of("end")[0].inputs}
    assert inputs == {"left": stage.of("left")[0].id, "right": stage.of("right")[0].id}


def test_a_diamond_ends_once_for_each_change() -> None:
    stage = Stage(drawn("top, left(top), right(top), end(left right)"))
    stage.fire("top")
    stage.all_end()
    stage.fire("top")
    stage.all_end()
    assert stage.started.count("end") == 2


def test_independent_branches_run_side_by_side() -> None:
    stage = Stage(drawn("top, left(top), right(top)"))
    stage.fire("top")
    stage.ends("top")
    assert stage.running == ["left", "right"]


def test_a_step_that_waits_for_its_retry_keeps_no_claim_on_its_inputs() -> None:
    stage = Stage(drawn("raw, clean(raw)", clean={"retry": Retry(1, backoff="10m", jitter=0)}))
    stage.fire("raw")
    stage.ends("raw")
    stage.fails("clean")
    stage.fire("raw")
    assert stage.running == ["raw"], "its upstream is rewritten meanwhile"
    stage.ends("raw")
    stage.passes("10m")
    assert stage.running == ["clean"]
    raw = stage.reactor.state.get(Table.MATERIALIZATION, "raw", None)
    assert (raw.step, stage.of("clean")[0].inputs) == (
        stage.of("raw")[1].id,
        (("raw", None, raw.change),),
    )


def test_what_waits_behind_a_retry_keeps_no_claim_either() -> None:
    stage = Stage(drawn("raw, clean(raw)", clean={"retry": Retry(1, backoff="10m", jitter=0)}))
    stage.fire("raw")
    stage.ends("raw")
    stage.fails("clean")
    stage.fire("raw")
    stage.ends("raw")
    stage.fire("raw")
    assert stage.running == ["raw"], "the clean behind waits ten minutes: raw need not"


def test_a_retry_goes_before_the_step_behind_it() -> None:
    stage = Stage(drawn("raw", raw={"retry": Retry(1, backoff="1m", jitter=0)}))
    stage.fire("raw")
    stage.fire("raw")
    stage.fails("raw")
    assert stage.running == []
    stage.passes("1m")
    assert stage.starts[-1].step == stage.of("raw")[0].id


def test_a_versioned_asset_does_not_wait_for_its_readers() -> None:
    stage = Stage(drawn("raw, model(raw)", raw={"versioned": True}))
    stage.fire("raw")
    stage.ends("raw", handle="raw/1")
    stage.fire("raw")
    assert stage.running == ["model", "raw"]
    assert stage.starts[1].upstream == {"raw": "raw/1"}


def test_a_long_chain_stands_aside_and_goes_on_without_recursion() -> None:
    names = [f"a{number}" for number in range(1_500)]
    edges = [f"{low}({high})" for high, low in pairwise(names)]
    stage = Stage(drawn(", ".join([names[0], *edges]), a0={"retry": Retry(1, jitter=0)}))
    stage.fire("a0")
    stage.fails("a0")
    stage.passes("1s")
    stage.ends("a0")
    assert stage.running == ["a1"]


def test_partitions_of_an_asset_do_not_wait_for_each_other() -> None:
    stage = Stage(drawn("raw, clean(raw)", rule("raw", partition=field.day)))
    stage.fire("raw", day="monday")
    stage.ends("raw")
    stage.fire("raw", day="tuesday")
    assert stage.running == ["clean", "raw"]
    stage.fire("raw", day="monday")
    assert stage.running == ["clean", "raw"], "but monday waits for the reader of monday"
    stage.ends("clean")
    assert [start.partition for start in stage.starts] == ["monday", "monday", "tuesday", "monday"]


def test_a_partition_waits_for_the_writer_of_the_whole() -> None:
    graph = drawn(
        "raw, clean(raw)",
        rule("raw", name="whole", on="whole"),
        rule("clean", partition=field.day),
    )
    stage = Stage(graph)
    stage.fire("whole")
    stage.fire("clean", day="monday")
    assert stage.running == ["raw"]

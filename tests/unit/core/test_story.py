"""What a decision did, in sentences."""

from __future__ import annotations

from reactor.core.asset import Retry
from reactor.core.field import field
from reactor.core.story import tell
from tests.unit.core.stage import Stage, drawn, rule


def told(stage: Stage) -> list[str]:
    return [f"{line.word}: {line.text}" for decision in stage.decisions for line in tell(decision)]


def test_a_run_is_told_from_its_event_to_its_end() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.all_end()
    assert told(stage) == [
        "accepted: raw saw e1",
        "planned: raw because raw saw e1",
        "planned: clean because raw changes",
        "started: raw started",
        "materialized: raw materialized",
        "started: clean started",
        "materialized: clean materialized",
    ]


def test_trouble_is_told_with_its_reason() -> None:
    stage = Stage(drawn("raw, clean(raw)", raw={"retry": Retry(1, jitter=0)}))
    stage.fire("raw")
    stage.fails("raw", "the disk is full")
    stage.passes("1s")
    stage.fails("raw", "the disk is full")
    assert told(stage)[4:] == [
        "retried: raw retried after attempt 1: the disk is full",
        "started: raw started",
        "failed: raw failed: the disk is full",
        "blocked: clean blocked: raw failed after 2 attempts",
        "alerted: raw failed after 2 attempts; 1 asset waits for it",
    ]


def test_partitions_and_priorities_read_as_well() -> None:
    stage = Stage(drawn("raw", rule("raw", partition=field.day)))
    stage.fire("raw", day="monday")
    assert told(stage)[1] == "planned: raw[monday] because raw saw e1"


def test_lines_name_what_they_are_about_and_its_number() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    lines = [line for decision in stage.decisions for line in tell(decision)]
    assert [(line.word, line.about, line.id) for line in lines] == [
        ("accepted", "raw", 1),
        ("planned", "raw", 1),
        ("started", "raw", 1),
    ]

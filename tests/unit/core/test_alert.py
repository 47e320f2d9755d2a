"""Alerts: one message a root cause, folded while it lasts, and one when it is over."""

from __future__ import annotations

from reactor.core.decision import Notify
from reactor.core.field import field
from reactor.core.state import Alert, Table
from tests.unit.core.stage import Stage, drawn, rule


def open_alerts(stage: Stage) -> list[Alert]:
    return list(stage.reactor.state.rows[Table.ALERT].values())


def test_a_failure_is_told_once_with_how_much_waits_for_it() -> None:
    stage = Stage(drawn("raw, clean(raw), report(clean)", raw={"owner": "team"}))
    stage.fire("raw")
    decision = stage.fails("raw")
    [notice] = [effect for effect in decision.effects if isinstance(effect, Notify)]
    assert notice.alert.text == "raw failed after 1 attempt; 2 assets wait for it"
    assert (notice.alert.owner, notice.alert.waiting) == ("team", ("clean", "report"))
    assert notice.alert.resolved is None


def test_one_that_waits_is_singular_and_none_is_not_told() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.fails("raw")
    assert stage.told == ["raw failed after 1 attempt; 1 asset waits for it"]
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    stage.fails("raw")
    assert stage.told == ["raw failed after 1 attempt"]


def test_the_same_cause_is_folded_and_gathers_what_waits() -> None:
    stage = Stage(drawn("raw, clean(raw), report(clean)", rule("raw")))
    stage.by_hand("raw", downstream=False)
    stage.fails("raw")
    for _ in range(3):
        stage.fire("raw")
        stage.fails("raw")
    assert stage.told == ["raw failed after 1 attempt"]
    [alert] = open_alerts(stage)
    assert (alert.folded, alert.waiting) == (3, ("clean", "report"))


def test_its_end_is_told_once() -> None:
    stage = Stage(drawn("raw"))
    for asset in ("raw", "raw"):
        stage.fire(asset)
        stage.fails(asset)
    for _ in range(2):
        stage.fire("raw")
        stage.ends("raw")
    assert stage.told == ["raw failed after 1 attempt", "raw is well again"]
    assert open_alerts(stage) == []
    assert stage.table[Table.ALERT, ("raw",)].resolved == stage.now


def test_what_was_never_told_is_not_resolved() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    stage.ends("raw")
    assert stage.told == []


def test_a_new_failure_after_the_end_is_a_new_alert() -> None:
    stage = Stage(drawn("raw"))
    for outcome in ("fails", "ends", "fails"):
        stage.fire("raw")
        getattr(stage, outcome)("raw")
    assert stage.told == [
        "raw failed after 1 attempt",
        "raw is well again",
        "raw failed after 1 attempt",
    ]


def test_each_root_cause_has_its_own() -> None:
    stage = Stage(drawn("left, right, end(left right)", rule("left", "right")))
    stage.fire("left")
    stage.fails("left")
    stage.fails("right")
    assert stage.told == [
        "left failed after 1 attempt; 1 asset waits for it",
        "right failed after 1 attempt",
    ]


def test_another_partition_that_is_well_does_not_end_it() -> None:
    stage = Stage(drawn("raw", rule("raw", partition=field.day)))
    stage.fire("raw", day="monday")
    stage.fails("raw")
    stage.fire("raw", day="tuesday")
    stage.ends("raw")
    assert stage.told == ["raw[monday] failed after 1 attempt"]
    stage.fire("raw", day="monday")
    stage.ends("raw")
    assert stage.told[1:] == ["raw[monday] is well again"]


def test_an_open_alert_survives_a_restart() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    stage.fails("raw")
    stage.restart()
    stage.fire("raw")
    stage.fails("raw")
    stage.fire("raw")
    stage.ends("raw")
    assert stage.told == ["raw failed after 1 attempt", "raw is well again"]

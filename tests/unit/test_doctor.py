"""What the doctor finds odd about rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from reactor.cli.doctor import about_assets, about_backfills, about_holds, about_rules


def ago(**length: int) -> str:
    return (datetime.now(UTC) - timedelta(**length)).isoformat()


def rule(**about: Any) -> dict[str, Any]:
    """A rule that is well."""
    well = {"name": "daily", "paused": False, "observe": False, "fates": {}, "changes": 0}
    well |= {"implicit": False, "fired": ago(minutes=1), "since": ago(days=9)}
    return {**well, **about}


def found(**about: Any) -> list[str]:
    findings = about_rules([rule(**about)])
    assert all(each.about == "rule daily" and not each.grave for each in findings)
    return [each.what for each in findings]


def test_a_rule_that_fired_is_well() -> None:
    assert found() == []


def test_a_rule_that_never_fired_says_since_when() -> None:
    assert found(fired=None) == ["has never fired, as it is since 9 d ago"]
    assert found(fired=None, since=None) == ["has never fired"]


def test_a_rule_that_only_observes_is_looked_at_as_well() -> None:
    assert found(fired=None, since=None, observe=True) == ["has never fired"]


def test_events_that_expired_in_the_last_hour_are_counted() -> None:
    assert found(fates={"expired": 3, "superseded": 8}) == [
        "gave up 3 events in the last hour: the rest did not come"
    ]
    assert found(fates={"superseded": 8}) == []


def test_a_rule_that_started_afresh_lately_says_so() -> None:
    assert found(changes=2, since=ago(minutes=5)) == ["was changed, and started afresh 5 min ago"]
    assert found(changes=2, since=ago(days=2)) == []
    assert found(changes=0, since=ago(minutes=5)) == []


def test_a_rule_that_nobody_wrote_need_not_have_fired() -> None:
    assert found(fired=None, since=None, implicit=True) == []


def test_a_hold_is_shown_with_its_age_and_what_ends_it() -> None:
    hold = {"id": 3, "table": "public.orders", "text": "column amount removed"}
    [finding] = about_holds([{**hold, "opened": ago(hours=2), "assets": ["clean", "report"]}])
    assert finding.about == "hold 3"
    assert finding.what == (
        "public.orders: column amount removed, 2 h ago: clean and report held until reactor ack 3"
    )


def asset(**about: Any) -> dict[str, Any]:
    """An asset that nobody has made."""
    new = {"name": "report", "paused": False, "active": [], "ended": None, "last": None}
    return {**new, "held": "", "stale": [], "stale_count": 0, **about}


def test_an_asset_that_nobody_made_is_said_to_be_so_unless_an_alert_says_more() -> None:
    assert [each.what for each in about_assets([asset()], ())] == ["was never built"]
    assert about_assets([asset()], {"report"}) == []


def test_a_backfill_that_failed_lately_is_shown_with_what_makes_it_go_on() -> None:
    failed = {"id": 2, "status": "failed", "failed": 3, "total": 31, "assets": ["raw", "clean"]}
    [finding] = about_backfills([{**failed, "finished": ago(hours=2)}])
    assert finding.about == "backfill 2"
    assert finding.what == (
        "failed 2 h ago: 3 of 31 partitions of raw and clean: reactor backfills retry 2"
    )
    assert about_backfills([{**failed, "finished": ago(days=2)}]) == []
    assert about_backfills([{**failed, "status": "running", "finished": None}]) == []

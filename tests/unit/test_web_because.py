"""Why a run ran, in sentences."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from reactor.web.because import Wording, why, wording
from tests.unit.core.stage import drawn, rule
from tests.unit.core.tap import START

GRAPH = drawn(
    "raw, clean(raw), report(clean), own(raw), other",
    rule("raw", name="daily", on="inbox"),
    own={"follow": False},
)
NOW = str(GRAPH.rules["daily"].trigger)


def work(asset: str, because: str, status: str, note: str = "", **about: Any) -> dict[str, Any]:
    step = {"status": status, "note": note}
    given = {"partition": None, "root": False, "step": step, **about}
    return {"asset": asset, "because": because, **given}


def run(*works: dict[str, Any], **about: Any) -> dict[str, Any]:
    firing = {"matches_count": 1, "timer": False}
    given = {
        "rule": "daily",
        "key": None,
        "events_count": 1,
        "fingerprint": GRAPH.fingerprint,
        "firings": [firing],
    }
    return {"works": list(works), **given, **about}


RAW = work("raw", "because inbox saw a.csv", "materialized", root=True)
CLEAN = work("clean", "because raw changes", "unchanged", "version 1 as before")
REPORT = work("report", "because clean changes", "blocked", "clean failed after 1 attempt")


def test_a_run_names_its_event_its_rule_its_edges_and_what_was_left_out() -> None:
    assert why(run(RAW, CLEAN, REPORT), GRAPH, Wording(NOW)) == [
        "raw because inbox saw a.csv.",
        f"Rule daily came true: {NOW}",
        "From that follows: clean because raw changes; report because clean changes.",
        "Needed nothing: clean (version 1 as before).",
        "Blocked: report (clean failed after 1 attempt).",
        "Not affected: own, as raw changes, but follow=False: only its own trigger launches it.",
        "1 other asset is not downstream of it.",
    ]


def test_a_rule_says_how_often_it_came_true_for_which_key_and_by_which_means() -> None:
    firings = [{"matches_count": 3, "timer": False}, {"matches_count": 1, "timer": True}]
    launched = run(RAW, key="eu", events_count=1_200, firings=firings)

    assert why(launched, GRAPH, Wording(NOW))[1] == (
        f"Rule daily came true 4 times as time passed for eu, with 1,200 events: {NOW}"
    )


def test_a_rule_that_was_changed_since_is_told_as_it_was() -> None:
    changed = Wording("inbox | tables", START)

    assert why(run(RAW), GRAPH, changed)[1] == (
        "Rule daily came true: inbox | tables "
        "(it has been changed since, at 2026-01-01 00:00:00 UTC)"
    )


def test_of_a_rule_whose_text_was_not_kept_it_is_only_said_that_it_was_changed() -> None:
    assert why(run(RAW), GRAPH, Wording("", START))[1] == (
        f"Rule daily came true: {NOW} (it has been changed since, at 2026-01-01 00:00:00 UTC)"
    )


def test_nothing_is_told_of_the_graph_of_another_version() -> None:
    launched = run(RAW, fingerprint="older")

    assert why(launched, GRAPH, Wording(NOW))[2:] == ["Nothing else follows from it."]


def test_a_run_of_many_assets_names_the_first_of_them() -> None:
    roots = [work(f"a{n}", "because of it", "materialized", root=True) for n in range(7)]
    rest = [work(f"b{n}", "because a0 changes", "held", "x") for n in range(7)]

    told = why(run(*roots, *rest), GRAPH, Wording(NOW))

    assert told[5] == "So did 2 more."
    assert told[7].endswith("b4 because a0 changes; and 2 more.")
    assert told[8] == "Held: b0, b1, b2 and 4 more (x)."


def test_a_step_that_is_not_kept_any_more_is_left_out() -> None:
    gone = {**CLEAN, "step": None}

    assert not [line for line in why(run(RAW, gone), GRAPH, Wording(NOW)) if "nothing:" in line]


def _version(trigger: str, hours: int) -> dict[str, str]:
    return {"trigger": trigger, "at": (START + timedelta(hours=hours)).isoformat()}


def test_a_rule_reads_as_in_its_last_version_before_the_run() -> None:
    versions = [_version("three", 30), _version("two", 20), _version("one", 10)]

    def read(hours: int) -> tuple[str, int | None]:
        found = wording(versions, START + timedelta(hours=hours))
        until = found.until and int((found.until - START) / timedelta(hours=1))
        return found.trigger, until

    assert read(5) == ("", 10)
    assert read(10) == ("one", 20)
    assert read(29) == ("two", 30)
    assert read(31) == ("three", None)
    assert wording([], START) == Wording("", None)

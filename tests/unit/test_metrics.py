"""What is counted, under the names that people's alerts use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from reactor.core.decision import Word
from reactor.metrics import Metrics

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def _metrics() -> Metrics:
    return Metrics(
        sensors=["inbox", "orders"], rules=["big"], assets=["raw", "revenue"], clock=lambda: NOON
    )


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_names_and_labels_are_those_of_the_contract() -> None:
    metrics = _metrics()
    metrics.materialized("raw", NOON)
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    found: dict[str, tuple[str, set[str]]] = {}
    for family in families:
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        if family.name.startswith("reactor_"):
            found[family.name] = (family.type, labels)
    assert found == {
        "reactor_events": ("counter", {"sensor", "outcome"}),
        "reactor_event_lag_seconds": ("gauge", {"sensor"}),
        "reactor_event_to_launch_seconds": ("histogram", set()),
        "reactor_firings": ("counter", {"rule"}),
        "reactor_fates": ("counter", {"rule", "word"}),
        "reactor_runs": ("counter", {"status"}),
        "reactor_steps": ("counter", {"asset", "status"}),
        "reactor_step_seconds": ("histogram", {"asset"}),
        "reactor_steps_running": ("gauge", set()),
        "reactor_steps_waiting": ("gauge", set()),
        "reactor_asset_age_seconds": ("gauge", {"asset"}),
        "reactor_sensor_up": ("gauge", {"sensor"}),
        "reactor_dead_letters": ("counter", {"sensor"}),
        "reactor_store_commit_seconds": ("histogram", set()),
        "reactor_leader": ("gauge", set()),
    }
    assert b"reactor_events_total{" in generate_latest(metrics.registry)
    assert b"_created" not in generate_latest(metrics.registry)


def test_every_declared_series_exists_before_anything_happens() -> None:
    metrics = _metrics()
    for outcome in ("accepted", "filtered", "duplicate", "dead"):
        assert _value(metrics, "reactor_events_total", sensor="orders", outcome=outcome) == 0
    assert _value(metrics, "reactor_firings_total", rule="big") == 0
    assert _value(metrics, "reactor_fates_total", rule="big", word="expired") == 0
    assert _value(metrics, "reactor_runs_total", status="failed") == 0
    assert _value(metrics, "reactor_steps_total", asset="revenue", status="failed") == 0
    assert _value(metrics, "reactor_step_seconds_count", asset="revenue") == 0
    assert _value(metrics, "reactor_sensor_up", sensor="inbox") == 0


def test_a_name_that_was_not_declared_is_counted_as_other() -> None:
    metrics = _metrics()
    for name in ("/etc/passwd", "orders/0@17", "eu"):
        metrics.accepted(name, 2)
        metrics.fired(name)
        metrics.step_ended(name, "failed", 1.0)
        metrics.materialized(name, NOON)
    assert _value(metrics, "reactor_events_total", sensor="other", outcome="accepted") == 6
    assert _value(metrics, "reactor_firings_total", rule="other") == 3
    assert _value(metrics, "reactor_steps_total", asset="other", status="failed") == 3
    assert _value(metrics, "reactor_asset_age_seconds", asset="other") == 0
    text = generate_latest(metrics.registry).decode()
    assert "passwd" not in text
    assert 'sensor="eu"' not in text


def test_a_batch_is_one_addition() -> None:
    metrics = _metrics()
    metrics.accepted("orders", 500)
    metrics.filtered("orders", 1_500)
    metrics.duplicate("orders", 3)
    metrics.dead("orders", 2)
    expected = {"accepted": 500, "filtered": 1_500, "duplicate": 3, "dead": 2}
    for outcome, count in expected.items():
        assert _value(metrics, "reactor_events_total", sensor="orders", outcome=outcome) == count
    assert _value(metrics, "reactor_dead_letters_total", sensor="orders") == 2


def test_what_a_rule_will_not_fire_for_is_counted_by_its_word() -> None:
    metrics = _metrics()
    metrics.lost("big", Word.EXPIRED, 40)
    metrics.lost("big", Word.THROTTLED)
    assert _value(metrics, "reactor_fates_total", rule="big", word="expired") == 40
    assert _value(metrics, "reactor_fates_total", rule="big", word="throttled") == 1


def test_a_step_is_counted_by_how_it_ended_and_timed_if_it_ran() -> None:
    metrics = _metrics()
    metrics.step_ended("raw", "materialized", 0.4)
    metrics.step_ended("raw", "blocked")
    assert _value(metrics, "reactor_steps_total", asset="raw", status="materialized") == 1
    assert _value(metrics, "reactor_steps_total", asset="raw", status="blocked") == 1
    assert _value(metrics, "reactor_step_seconds_count", asset="raw") == 1
    assert _value(metrics, "reactor_step_seconds_sum", asset="raw") == 0.4


def test_an_age_is_reckoned_when_it_is_asked_for() -> None:
    now = NOON
    metrics = Metrics(assets=["raw", "revenue"], clock=lambda: now)
    metrics.materialized("raw", NOON - timedelta(seconds=30))
    metrics.materialized("raw", NOON - timedelta(seconds=90))
    assert _value(metrics, "reactor_asset_age_seconds", asset="raw") == 30
    now = NOON + timedelta(minutes=1)
    assert _value(metrics, "reactor_asset_age_seconds", asset="raw") == 90
    assert _value(metrics, "reactor_asset_age_seconds", asset="revenue") is None


def test_gauges_hold_what_they_were_last_told() -> None:
    metrics = _metrics()
    metrics.steps(running=3, waiting=7)
    metrics.leading(True)
    metrics.sensor_up("inbox", True)
    metrics.lag("inbox", 1.5)
    metrics.event_to_launch(0.004)
    metrics.committed(0.002)
    metrics.run_ended("succeeded")
    assert _value(metrics, "reactor_steps_running") == 3
    assert _value(metrics, "reactor_steps_waiting") == 7
    assert _value(metrics, "reactor_leader") == 1
    assert _value(metrics, "reactor_sensor_up", sensor="inbox") == 1
    assert _value(metrics, "reactor_event_lag_seconds", sensor="inbox") == 1.5
    assert _value(metrics, "reactor_event_to_launch_seconds_bucket", le="0.005") == 1
    assert _value(metrics, "reactor_store_commit_seconds_bucket", le="0.001") == 0
    assert _value(metrics, "reactor_runs_total", status="succeeded") == 1


def test_two_services_in_one_process_count_apart() -> None:
    one, other = _metrics(), _metrics()
    one.accepted("inbox")
    assert _value(other, "reactor_events_total", sensor="inbox", outcome="accepted") == 0

"""Commands that say what became of events, against a service that runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.cli import Command, command
from tests.integration.cli_service import Served, served
from tests.integration.processes import until

PIPELINE = """
from pydantic import BaseModel
from reactor import Pipeline, field
from sensors import Webhook

class Order(BaseModel):
    amount: float

shop = Pipeline("shop", owner="me@shop.example")
orders = Webhook("orders", model=Order)
payments = Webhook("payments")

@shop.asset
def ledger(): ...

@shop.asset
def report(ledger): ...

@shop.asset
def alarm(): ...

@shop.asset
def settled(): ...

shop.rule(orders, ledger, name="daily")
shop.rule(orders.where(field.amount > 1000), alarm, name="big")
shop.rule((orders & payments).within("1h"), settled, name="paid")
shop.rule(orders, alarm, settled, name="shadow", observe=True)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The shop, to be handed its first order."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "pipeline.py").write_text(PIPELINE)
    with served(folder) as running:
        yield running


@pytest.fixture
def run(
    service: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs a command that asks the service, which has seen one small order."""
    monkeypatch.setenv("REACTOR_PORT", str(service.port))
    ask = command(capsys)
    if not ask("events", "--json").data:
        assert ask("emit", "orders", '{"amount": 3}', "--id", "o-1").code == 0
        until(lambda: ask("runs", "list", "--status", "succeeded", "--json").data)
    return ask


def test_a_list_of_events_says_what_became_of_each(run: Command) -> None:
    heads, line = run("events").out.splitlines()

    assert heads.split() == ["event", "sensor", "type", "status", "when", "key", "subject"]
    assert line.split()[:4] == ["1", "orders", "reactor.emitted", "ran"]
    [event] = run("events", "--json").data
    assert event["status_text"] == "daily launched ledger in run 1, which succeeded"


def test_an_event_is_shown_with_its_fate_for_each_rule(run: Command) -> None:
    lines = [" ".join(line.split()) for line in run("events", "show", "1").out.splitlines()]

    assert "daily ran launched ledger in run 1, which succeeded" in lines
    assert "big filtered did not let it in: field.amount > 1000 is false: it is 3.0" in lines
    observed = "came true and only observes: it would have launched alarm and settled"
    assert f"shadow observed {observed}" in lines
    [paid] = [line for line in lines if line.startswith("paid")]
    assert paid.startswith("paid waiting waits for payments")


def test_why_without_a_rule_or_an_asset_shows_all_fates(run: Command) -> None:
    rules = {fate["rule"] for fate in run("events", "why", "1", "--json").data}

    assert rules == {"daily", "big", "paid", "shadow"}
    assert run("events", "why", "1").out in run("events", "show", "1").out


def test_why_names_the_comparison_that_failed(run: Command) -> None:
    ran = run("events", "why", "1", "--rule", "big")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "big did not let it in: field.amount > 1000 is false: it is 3.0.\n"
    assert run("events", "why", "1", "--rule", "big", "--json").data["recomputed"] is False


def test_why_answers_for_an_asset(run: Command) -> None:
    assert run("events", "why", "1", "--asset", "report").out == (
        "report was materialized in run 1, which daily launched.\n"
    )
    told = run("events", "why", "1", "--asset", "alarm").out
    assert told.startswith("alarm was not launched: shadow came true and only observes")
    assert told.endswith("; big did not let it in: field.amount > 1000 is false: it is 3.0.\n")


def test_why_matches_an_event_anew_that_was_not_kept(run: Command) -> None:
    ran = run("events", "why", '{"amount": 5000}', "--sensor", "orders", "--rule", "big")

    assert ran.out == "recomputed: big would let it in.\n"
    assert len(run("events", "--json").data) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["1", "--rule", "big", "--asset", "alarm"], "ask about a rule or an asset, not both"),
        (["nonsense"], "'nonsense' is no number of an event"),
        (["1", "--rule", "bigg"], "did you mean big?"),
        (["99", "--rule", "big"], "there is no event 99"),
        (['{"amount": 1}', "--sensor", "orders"], "which rule or asset?"),
        (['{"amount": "x"}', "--sensor", "orders", "--rule", "big"], "amount"),
    ],
)
def test_a_question_that_makes_no_sense_says_what_to_ask(
    run: Command, arguments: list[str], said: str
) -> None:
    ran = run("events", "why", *arguments)

    assert ran.code == 2
    assert said in ran.err


def test_a_rule_shows_its_firings_and_what_it_would_have_launched(run: Command) -> None:
    shadow = run("rules", "show", "shadow").out
    daily = run("rules", "show", "daily").out

    assert "shadow observes" in shadow
    assert "would have launched alarm and settled" in shadow
    assert "launched ledger in run 1" in daily
    assert [each["run"] for each in run("rules", "show", "daily", "--json").data["firings"]] == [1]
    assert run("rules", "show", "big").err == "it never fired\n"


def test_the_list_of_rules_says_which_have_fired(run: Command) -> None:
    lines = {line.split()[0]: line for line in run("rules").out.splitlines()}

    assert " never " in lines["big"]
    assert " ago " in lines["daily"]
    assert "observes" in lines["shadow"]


def test_the_doctor_names_rules_that_never_fired(run: Command) -> None:
    findings = run("doctor", "--json").data["findings"]

    found = {each["about"]: each["what"] for each in findings if each["about"].startswith("rule ")}
    assert set(found) == {"rule big", "rule paid"}
    assert found["rule big"].startswith("has never fired, as it is since ")

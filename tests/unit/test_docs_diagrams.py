"""docs/triggers.md shows what the simulator does now, and its tables say what the code says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from docs.diagrams import PAGE, WIDTH, drawn, named, redrawn
from docs.scenarios import SCENARIOS, Scenario
from reactor import Calendar, Pipeline, at_least, field, meta
from reactor.core.decision import Word
from reactor.core.errors import DefinitionError
from reactor.core.memory import KEY_CAP
from reactor.core.trigger.compile import compile_trigger
from reactor.core.trigger.expression import Trigger
from reactor.core.trigger.operator import IDLE_LIMIT, PARTIAL_CAP, SPAN_CAP
from sensors import FileArrivals, KafkaTopic, Schedule
from tests.unit.page import blocks, table


def test_the_page_is_what_the_simulator_shows_now() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert redrawn(text) == text, "make docs writes it anew"


def test_every_scenario_stands_on_the_page_once() -> None:
    names = named(PAGE.read_text(encoding="utf-8"))
    assert sorted(names) == sorted(each.name for each in SCENARIOS)
    assert len(set(names)) == len(names)


def test_no_diagram_is_too_wide_to_be_read() -> None:
    shown = [
        line for block in blocks(PAGE) if "---" in block.text for line in block.text.split("\n")
    ]
    assert len(shown) > len(SCENARIOS)
    assert [line for line in shown if len(line) > WIDTH] == []


def test_a_diagram_without_a_scenario_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        redrawn("<!-- diagram nothing -->\n<!-- end -->")


def test_firings_that_lie_upon_each_other_are_an_error() -> None:
    crowded = Scenario("crowded", "fires = orders", "orders  --long--")
    assert "fires   --long--" in drawn(crowded)
    crowded = Scenario("crowded", 'fires = orders.count(2, within="1m")', "orders  --aaa-bbb-c-d--")
    with pytest.raises(ValueError, match=r"crowded: .* lie upon"):
        drawn(crowded)


@pytest.mark.parametrize(("wanted", "spelling"), table(PAGE, "What do I want?").rows)
def test_what_is_to_be_written_can_be_written(wanted: str, spelling: str) -> None:
    found = _meant(spelling)
    several = found if isinstance(found, tuple) else (found,)
    for trigger in several:
        assert isinstance(trigger, Trigger), wanted
        assert compile_trigger(trigger).entries


@pytest.mark.parametrize(("written", "said"), table(PAGE, "What is refused").rows)
def test_what_is_refused_is_refused_in_these_words(written: str, said: str) -> None:
    with pytest.raises((DefinitionError, ValueError, TypeError)) as refused:
        compile_trigger(_meant(written))
    assert str(refused.value) == said


def test_every_word_for_what_became_of_an_event_is_told() -> None:
    assert sorted(table(PAGE, "What became of an event").column("word")) == sorted(Word)


def test_the_bounds_are_those_of_the_code() -> None:
    bounds = table(PAGE, "Bounds").column("at most")
    told = [int(number.replace(",", "")) for text in bounds for number in text.split()[:1]]
    assert told == [KEY_CAP, PARTIAL_CAP, SPAN_CAP, SPAN_CAP, KEY_CAP]
    assert timedelta(microseconds=IDLE_LIMIT) == timedelta(days=1)


def _meant(text: str) -> Any:
    """What an expression of the page means."""
    shop = Pipeline("shop")
    names = {
        "orders": KafkaTopic("orders"),
        "payments": KafkaTopic("payments"),
        "refunds": KafkaTopic("refunds"),
        "inbox": FileArrivals("inbox/*.csv"),
        "revenue": shop.asset(name="revenue")(lambda: None),
        "Calendar": Calendar,
        "Schedule": Schedule,
        "at_least": at_least,
        "field": field,
        "meta": meta,
    }
    return eval(text, names)

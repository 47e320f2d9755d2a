"""The tables of the pages list what there is in the code: all of it, and nothing else."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_overloads

import pytest
from prometheus_client.metrics_core import Metric
from typer.main import get_command

from reactor import Output, Pipeline, Retry
from reactor.cli.app import COMMANDS
from reactor.core.asset import Pending
from reactor.core.decision import (
    Decision,
    Facts,
    Fate,
    SetPaused,
    Start,
    StartBackfill,
    Word,
)
from reactor.core.event import Event
from reactor.core.field import Field
from reactor.core.place import META
from reactor.core.reactor import Reactor
from reactor.core.run import RunStatus, StepStatus
from reactor.core.state import BackfillStatus
from reactor.core.trigger.expression import Both, Trigger
from reactor.core.verdict import Status
from reactor.executors import command, process
from reactor.host.attempt import EVENTS_LIMIT, _environment
from reactor.host.context import Context
from reactor.host.intake import Intake, Post
from reactor.host.news import News, news_of
from reactor.logs import logger
from reactor.metrics import OUTCOMES, Metrics
from reactor.pipeline import INJECTED, DeclaredAsset
from reactor.settings import PREFIX, Settings
from reactor.testing import START, Simulation, simulate
from reactor.web.app import create_app
from reactor.web.service import WebSettings
from sensors import FileArrivals, KafkaTopic, Schedule, SchemaChanges, SchemaRegistry, Webhook
from sensors.files import File
from sensors.kafka.security import SecurityOptions
from sensors.schedule import Tick
from sensors.schema import SchemaChanged
from tests.unit.page import ROOT, headings, table

_PAGES = ("guide", "triggers", "sensors", "reference")
GUIDE, TRIGGERS, SENSORS, REFERENCE = (ROOT / "docs" / f"{name}.md" for name in _PAGES)


def _names(page: Path, heading: str, first: str) -> list[str]:
    return table(page, heading, first).column(first)


def _options(page: Path, heading: str) -> dict[str, str]:
    """The options of a table and their defaults, as written."""
    found = table(page, heading, "option")
    return dict(zip(found.column("option"), found.column("default"), strict=True))


def test_the_guide_lists_what_a_function_may_ask_for() -> None:
    listed = _names(GUIDE, "What a function may ask for", "parameter")
    assert set(listed) - {"the name of an asset"} == set(INJECTED)


def test_the_guide_lists_what_a_context_offers() -> None:
    listed = _names(GUIDE, "What a function may ask for", "of the context")
    shown = {name.partition("(")[0] for name in listed}
    hidden = {"report", "connections"}
    methods = {name for name, _ in inspect.getmembers(Context, inspect.isfunction)}
    offered = {each.name for each in fields(Context)} - hidden | methods
    assert shown == {name for name in offered if not name.startswith("_")}


def test_the_guide_lists_what_an_output_says() -> None:
    listed = _names(GUIDE, "What changed, and what did not", "of an output")
    assert listed == [each.name for each in fields(Output)]


def test_the_guide_lists_what_an_event_has() -> None:
    [text] = [line for line in GUIDE.read_text().split("\n\n") if line.startswith("An event has")]
    assert {each.name for each in fields(Event)} - {"raw"} <= set(text.split("`"))


def test_the_guide_lists_every_option_of_an_asset() -> None:
    [_, long] = get_overloads(Pipeline.asset)
    wanted = inspect.signature(long).parameters.values()
    listed = _options(GUIDE, "What an asset may say")
    assert list(listed) == [each.name for each in wanted if each.name != "self"]
    for each in wanted:
        shown = listed.get(each.name, "")
        if each.default not in (None, each.empty):
            assert eval(shown) == each.default, each.name


def test_the_guide_lists_every_option_of_a_rule() -> None:
    wanted = dict(inspect.signature(Pipeline.rule).parameters)
    for positional in ("self", "trigger", "assets"):
        del wanted[positional]
    listed = _options(GUIDE, "Rules")
    assert list(listed) == list(wanted)
    for name in ("pending", "priority", "observe"):
        assert eval(listed[name]) == wanted[name].default
    assert [eval(each) for each in _names(GUIDE, "pending=", "pending")] == list(Pending)


def test_the_guide_tells_how_a_retry_waits() -> None:
    defaults = inspect.signature(Retry).parameters
    text = " ".join(GUIDE.read_text().split())
    for name in ("factor", "limit", "jitter"):
        assert f"`{name}={json.dumps(defaults[name].default)}`" in text


def test_each_operator_has_a_section_among_the_triggers_and_a_line_in_the_guide() -> None:
    methods = {name for name, _ in inspect.getmembers(Trigger, inspect.isfunction)}
    public = {name for name in methods if not name.startswith("_")}
    assert callable(Both.within)
    of_assets = {name for name in vars(DeclaredAsset) if name in ("materialized", "failed", "held")}
    sections = " ".join(headings(TRIGGERS))
    wanted = {f".{name}(" for name in public} | {f"asset.{name}" for name in of_assets}
    wanted |= {"a | b", "(a & b).within(", "at_least(", "asset.stale("}
    assert [each for each in wanted if each not in sections] == []
    lines = " ".join(_names(GUIDE, "How it is combined", "operator"))
    assert [name for name in public if f".{name}(" not in lines] == []


def test_the_guide_lists_every_condition() -> None:
    listed = " ".join(_names(GUIDE, "What it looks at", "condition"))
    methods = {name for name, _ in inspect.getmembers(Field, inspect.isfunction)}
    assert [name for name in methods if not name.startswith("_") and name not in listed] == []
    told = " ".join(" ".join(row) for row in table(GUIDE, "What it looks at").rows)
    assert [name for name in META if name not in told] == []


def test_the_guide_lists_every_variable_of_a_command() -> None:
    start = Start(1, 1, "orders", None, 1, "key", (1,), (), {})
    listed = _names(GUIDE, "Commands", "variable")
    assert listed == [*_ordered(_environment(start, ()), listed)]
    assert f"{EVENTS_LIMIT >> 10} KiB" in table(GUIDE, "Commands", "variable").rows[-1][1]


def _ordered(found: Mapping[str, str], like: list[str]) -> Iterator[str]:
    return iter(sorted(found, key=like.index))


def test_the_guide_tells_how_long_work_has_to_end() -> None:
    told = table(GUIDE, "Where work runs").column("and is stopped by")
    assert process.GRACE.total_seconds() == 2
    assert command.GRACE.total_seconds() == 5
    assert "two seconds later" in told[2]
    assert "five seconds later" in told[3]


def test_the_guide_lists_what_a_simulation_offers() -> None:
    listed = {
        name.partition("(")[0] for name in _names(GUIDE, "Test and simulate", "of a simulation")
    }
    public = {name for name in dir(Simulation(_shop().definition())) if name[0] != "_"}
    inner = {"definition", "now", "start", "decisions"}
    assert listed == public - inner


@pytest.mark.parametrize(
    ("heading", "sensor"),
    [
        ("Kafka topics", KafkaTopic),
        ("Files", FileArrivals),
        ("Schema changes", SchemaChanges),
        ("Schema registry", SchemaRegistry),
        ("Schedules", Schedule),
        ("Webhooks", Webhook),
    ],
)
def test_each_option_of_a_sensor_is_listed_with_its_default(heading: str, sensor: Any) -> None:
    wanted = [
        each
        for each in inspect.signature(sensor).parameters.values()
        if each.kind is not each.VAR_KEYWORD
    ]
    listed = _options(SENSORS, heading)
    assert list(listed) == [each.name for each in wanted]
    for each in wanted:
        if each.default is not each.empty:
            assert eval(listed[each.name]) == each.default, each.name
        else:
            assert listed[each.name] == ""


def test_each_security_option_of_kafka_is_listed() -> None:
    text = SENSORS.read_text()
    assert [name for name in SecurityOptions.__annotations__ if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize(
    ("heading", "model"), [("Files", File), ("Schema changes", SchemaChanged), ("Schedules", Tick)]
)
def test_each_field_of_a_payload_is_listed(heading: str, model: Any) -> None:
    assert _names(SENSORS, heading, "of the payload") == list(model.model_fields)


def test_each_sensor_is_listed() -> None:
    names = import_module("sensors").__all__
    assert sorted(_names(SENSORS, "Sensors", "sensor")) == sorted(names)


def test_each_setting_is_listed_with_its_variable_flag_and_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in [each for each in os.environ if each.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    listed = table(REFERENCE, "Settings", "setting")
    serve: Any = get_command(import_module("reactor.cli.serve").app)
    flags = {option for each in serve.params for option in each.opts}
    assert listed.column("setting") == list(Settings.model_fields)
    for name, variable, flag, default, _ in listed.rows:
        assert variable == f"{PREFIX}{name.upper()}"
        assert flag == (f"--{name}" if f"--{name}" in flags else "")
        given: Any = {name: default} if default else {}
        assert getattr(Settings(**given), name) == Settings.model_fields[name].default


def test_each_command_is_listed_with_what_it_takes() -> None:
    everywhere = {"--host", "--port", "--json"}
    wanted: list[tuple[str, ...]] = []
    for group in COMMANDS:
        for name, leaf in _leaves(group, get_command(import_module(f"reactor.cli.{group}").app)):
            shown = [each for each in leaf.params if not getattr(each, "hidden", False)]
            words = [
                each.metavar if each.param_type_name == "argument" else option
                for each in shown
                for option in (each.opts[:1] + each.secondary_opts)
            ]
            takes = " ".join(word for word in words if word not in everywhere)
            wanted.append((name, takes, leaf.help.splitlines()[0]))
    assert table(REFERENCE, "Commands", "reactor").rows == tuple(wanted)


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for each, inner in command.commands.items():
        yield from _leaves(f"{name} {each}", inner)


def test_each_route_is_listed_with_what_it_answers() -> None:
    # Nothing is asked, so nothing but a name is needed to have the routes.
    nothing: Any = cast(Any, SimpleNamespace(name="shop"))
    paths = create_app(nothing, WebSettings()).openapi()["paths"]
    wanted = {
        f"{method.upper()} {path}": (operation["summary"], _taken(operation))
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    listed = table(REFERENCE, "HTTP", "route")
    assert dict(zip(listed.column("route"), listed.column("answers"), strict=True)) == {
        route: summary for route, (summary, _) in wanted.items()
    }
    for route, takes, _ in listed.rows:
        asked = wanted[route][1]
        assert not asked or takes == asked, route


def _taken(operation: Mapping[str, Any]) -> str:
    query = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    return " ".join(query)


def test_each_metric_is_listed_with_its_labels() -> None:
    metrics = Metrics(sensors=["inbox"], rules=["orders"], assets=["orders"])
    metrics.materialized("orders", START)
    families = [each for each in metrics.registry.collect() if each.name.startswith("reactor_")]
    listed = table(REFERENCE, "Metrics", "metric")
    assert {row[0]: row[1:] for row in listed.rows} == dict(map(_described, families))


def _described(family: Metric) -> tuple[str, tuple[str, str, str]]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    order = ["sensor", "rule", "asset", "word", "outcome", "status"]
    labels = {label for sample in family.samples for label in sample.labels} - {"le"}
    shown = " ".join(sorted(labels, key=order.index))
    return name, (family.type, shown, family.documentation)


def test_each_word_for_what_happens_is_listed() -> None:
    told = {row[0]: row[1] for row in table(REFERENCE, "The words").rows}
    text = REFERENCE.read_text()
    kinds = {
        "an event": OUTCOMES,
        "a step": StepStatus,
        "a run": RunStatus,
        "a backfill": BackfillStatus,
    }
    for of, words in {**kinds, "an event, for a rule": Status}.items():
        [row] = [line for line in text.splitlines() if line.startswith(f"| {of} |")]
        assert [word for word in words if f"`{word}`" not in row] == []
        assert of in told


def test_each_kind_of_news_is_listed_with_what_it_has() -> None:
    told: dict[str, set[str]] = {}
    for news in (*_happenings(), _sensor_news()):
        told.setdefault(news["kind"], set()).update(set(news) - {"kind"})
    listed = table(REFERENCE, "The stream", "kind")
    assert {row[0]: set(row[1].partition(":")[0].split()) for row in listed.rows} == told


TABLES = SchemaChanges("sqlite:///shop.db")


def _shop() -> Pipeline:
    shop = Pipeline("shop", owner="data@shop.example", sensors=[TABLES])

    @shop.asset(on=FileArrivals("inbox/*.csv"), reads={"orders": ["id"]})
    def orders(events: Any) -> None: ...

    return shop


def _happenings() -> Iterator[News]:
    """The news of an asset that fails and is held, a pause, a backfill, and an event that came to
    nothing.
    """
    with simulate(_shop()) as sim:
        sim.on("orders").fails()
        sim.emit(FileArrivals("inbox/*.csv").event("inbox/monday.csv")).later("1s")
        sim.emit(TABLES.event("orders", removed="id")).later("1s")
        for decision in sim.decisions:
            yield from news_of(decision, sim.now)
    paused: Decision = Reactor(_shop().definition().graph).receive(
        [SetPaused("asset", "orders", True), StartBackfill(("orders",), ("eu",))],
        datetime.now(UTC),
    )
    yield from news_of(paused, datetime.now(UTC))
    lost = Facts(fates=[Fate("orders", Word.EXPIRED, ((1, 1),), "nothing else came")])
    yield from news_of(Decision(lost), datetime.now(UTC))


def _sensor_news() -> News:
    told: list[News] = []
    nothing: Any = None
    clock: Any = SimpleNamespace(now=lambda: datetime.now(UTC))
    inbox = FileArrivals("inbox/*.csv")
    intake = Intake(
        {}, nothing, clock, logger(), Metrics(sensors=["inbox"]), lambda: None, told.append
    )
    intake.set_up(Post("inbox", "files/inbox", inbox), True, "")
    return told[0]

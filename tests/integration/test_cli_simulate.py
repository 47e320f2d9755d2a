"""`reactor simulate`: what recorded events would have launched, and what differs from before."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from reactor import load
from reactor.core.decision import Arrived, Ending, Finished, Input, Restarted, Start
from reactor.core.event import Event
from reactor.core.reactor import Reactor
from reactor.pipeline import Definition
from reactor.ports import Turn
from reactor.store import open_store
from tests.integration.cli import Command, command

SHOP = """
from reactor import Pipeline, field
from sensors import FileArrivals, KafkaTopic, Schedule

shop = Pipeline("shop", owner="data@shop.example")
inbox = FileArrivals("inbox/*.csv")
orders = KafkaTopic("orders")
nightly = Schedule("0 2 * * *", name="nightly")

@shop.asset(on=inbox)
def raw(events): ...

@shop.asset
def clean(raw): ...

@shop.asset(on=orders.where(field.amount > 10).by(field.region).batch(2, max_wait="30s"))
def revenue(events): ...

@shop.asset(on=nightly)
def report(events): ...
"""

EVENTS = [
    {"sensor": "inbox", "time": "2026-01-05T09:00Z", "data": "inbox/a.csv"},
    {
        "specversion": "1.0",
        "id": "1",
        "source": "orders",
        "type": "order",
        "time": "2026-01-05T09:01:00Z",
        "data": {"amount": 20, "region": "eu"},
    },
    {"sensor": "orders", "time": "2026-01-05T09:01:20Z", "data": {"amount": 20, "region": "eu"}},
    {"sensor": "orders", "time": "2026-01-05T09:01:21Z", "data": {"amount": 1, "region": "eu"}},
    {"sensor": "orders", "time": "2026-01-05T09:01:30Z", "data": {"amount": 20, "region": "us"}},
    {"sensor": "inbox", "time": "2026-01-06T09:00Z", "data": "inbox/b.csv"},
]


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """Runs a command in a folder with a pipeline and a record."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, EVENTS)))
    yield command(capsys)
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def changed(old: str, new: str, name: str = "other.py") -> str:
    """A version of the shop in which something reads otherwise."""
    assert old in SHOP
    Path(name).write_text(SHOP.replace(old, new))
    return name


def test_it_tells_what_would_have_been_launched_when_by_which_rule_and_why(run: Command) -> None:
    ran = run("simulate", "shop.py", "--events", "events.jsonl")
    assert ran.code == 0
    assert (
        ran.out
        == """\
when                 rule     asset        because
2026-01-05 09:00:00  raw      raw +1       inbox saw inbox/a.csv
2026-01-05 09:01:20  revenue  revenue[eu]  orders saw orders/0 and 1 more (full)
2026-01-05 09:02:00  revenue  revenue[us]  orders saw orders/0
2026-01-06 02:00:00  report   report       nightly saw 2026-01-06T02:00:00Z
2026-01-06 09:00:00  raw      raw +1       inbox saw inbox/b.csv

rule     launches
raw      2
revenue  2
report   1

6 events since 2026-01-05 09:00:00: 5 launches
"""
    )
    assert max(map(len, ran.out.splitlines())) <= 80


def test_as_json_each_launch_names_its_causes(run: Command) -> None:
    data = run("simulate", "shop.py", "--events", "events.jsonl", "--json").data
    assert data["rules"] == {"raw": 2, "revenue": 2, "report": 1}
    assert data["launches"][1]["causes"][0] == "orders 1"
    assert data["launches"][1]["at"] == "2026-01-05T09:01:20+00:00"
    assert (data["pipeline"], data["events"]) == ("shop", 6)


def test_a_record_out_of_order_or_with_repeats_is_put_right_and_said_so(run: Command) -> None:
    Path("newest.json").write_text(json.dumps([*reversed(EVENTS), EVENTS[0]]))
    ran = run("simulate", "shop.py", "--events", "newest.json", "--json")
    assert ran.err.splitlines() == [
        "the events of newest.json were put in the order in which they came",
        "1 repeat left out",
    ]
    assert ran.data == run("simulate", "shop.py", "--events", "events.jsonl", "--json").data


def test_what_no_rule_listens_to_is_left_out_and_said_so(run: Command) -> None:
    with Path("events.jsonl").open("a") as file:
        file.write('\n{"sensor": "ordres", "time": "2026-01-05T09:00Z"}\n')
    ran = run("simulate", "shop.py", "--events", "events.jsonl")
    said = "1 event of ordres left out: no rule listens to it (did you mean orders?)"
    assert (ran.code, ran.err.strip()) == (0, said)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "events.jsonl:2: this is no JSON: EOF while parsing an object at line 1 column 1"),
        ("7", "events.jsonl:2: an event is a JSON object"),
        ('{"time": "2026-01-05"}', "events.jsonl:2: an event names its sensor"),
        ('{"sensor": "inbox", "data": "a"}', "events.jsonl:2: an event says its time"),
        ('{"sensor": "inbox", "time": "now"}', "events.jsonl:2: 'now' is no instant"),
        ('{"sensor": "inbox", "time": "9999-12-31"}', "events.jsonl:2: '9999-12-31' is beyond"),
        (
            '{"sensor": "inbox", "time": "2026-01-05", "data": 7}',
            "events.jsonl:2: sensor inbox cannot see this",
        ),
    ],
)
def test_a_line_that_is_no_event_is_named(run: Command, line: str, complaint: str) -> None:
    Path("events.jsonl").write_text(f"{json.dumps(EVENTS[0])}\n{line}\n")
    ran = run("simulate", "shop.py", "--events", "events.jsonl")
    assert ran.code == 2
    assert ran.err.startswith(f"error: {complaint}")
    assert ran.err.count("\n") == 1


def test_a_record_without_events_of_ours_is_refused(run: Command) -> None:
    Path("events.jsonl").write_text("")
    ran = run("simulate", "shop.py", "--events", "events.jsonl")
    assert ran.code == 2
    assert "events.jsonl has no event that a rule of shop listens to (its sensors are" in ran.err


def test_against_another_file_a_changed_window_shows_what_appears_disappears_and_moves(
    run: Command,
) -> None:
    other = changed("30s", "10s")
    ran = run("simulate", "shop.py", "--events", "events.jsonl", "--against", other)
    assert ran.code == 0
    assert (
        ran.out
        == """\
            when                            rule     asset        because
disappears  2026-01-05 09:01:10             revenue  revenue[eu]  orders saw 1
appears     2026-01-05 09:01:20             revenue  revenue[eu]  orders saw orders/0 and 1 more (full)
disappears  2026-01-05 09:01:30             revenue  revenue[eu]  orders saw orders/0
moves       2026-01-05 09:01:40 → 09:02:00  revenue  revenue[us]  orders saw orders/0

6 events since 2026-01-05 09:00:00, against other.py:
1 appears, 2 disappear, 1 moves; 3 launches are the same
"""  # noqa: E501
    )


def test_against_a_version_without_a_rule_its_launches_appear(run: Command) -> None:
    other = changed("@shop.asset(on=nightly)", "@shop.asset(on=nightly.where(lambda _: False))")
    data = run("simulate", "shop.py", "--events", "events.jsonl", "--against", other, "--json").data
    assert [(each["word"], each["rule"]) for each in data["differences"]] == [("appears", "report")]
    assert (data["same"], data["appears"], data["disappears"], data["moves"]) == (4, 1, 0, 0)


def test_against_itself_nothing_differs(run: Command) -> None:
    ran = run("simulate", "shop.py", "--events", "events.jsonl", "--against", "shop.py")
    assert ran.out.splitlines()[-1] == "nothing differs; 5 launches are the same"


def git(*words: str) -> None:
    """Runs git with an author of its own."""
    who = ("-c", "user.name=test", "-c", "user.email=test@shop.example")
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


def test_against_a_revision_the_file_and_its_neighbours_are_those_of_then(run: Command) -> None:
    """The module beside the pipeline has the same name in both versions, and says otherwise."""
    Path("flows").mkdir()
    Path("flows/shop.py").write_text(
        SHOP.replace('"30s"', "WAIT")
        .replace("import Pipeline", "import Pipeline\nfrom waits import WAIT")
        .replace(
            "import Pipeline\nfrom waits import WAIT, field",
            "import Pipeline, field\nfrom waits import WAIT",
        )
    )
    Path("flows/waits.py").write_text('WAIT = "10s"')
    git("init", "-q")
    git("add", "flows")
    git("commit", "-qm", "one")
    Path("flows/waits.py").write_text('WAIT = "30s"')
    words = ("simulate", "flows/shop.py", "--events", "events.jsonl", "--against")
    ran = run(*words, "HEAD")
    assert ran.out.splitlines()[-1] == "1 appears, 2 disappear, 1 moves; 3 launches are the same"
    Path("flows/late.py").write_text(Path("flows/shop.py").read_text())
    ran = run("simulate", "flows/late.py", "--events", "events.jsonl", "--against", "HEAD")
    assert (ran.code, ran.err) == (2, "error: there is no flows/late.py in HEAD\n")
    ran = run(*words, "HEAD~7")
    assert ran.code == 2
    assert "HEAD~7 is no file, store or git revision to compare flows/shop.py with" in ran.err


def test_a_version_that_does_not_load_says_why(run: Command) -> None:
    Path("broken.py").write_text("import nothing_there")
    ran = run("simulate", "shop.py", "--events", "events.jsonl", "--against", "broken.py")
    assert ran.code == 1
    assert "the other version cannot be simulated" in ran.err
    assert "nothing_there" in ran.err


BEGUN = datetime(2026, 1, 5, 8, tzinfo=UTC)
DELAY = timedelta(milliseconds=20)


async def live(url: str, definition: Definition, events: list[Event], until: datetime) -> None:
    """What a service records that sees these events: each a moment late, as it is in life."""
    reactor = Reactor(definition.graph)
    async with open_store(url) as store:

        async def turn(inputs: list[Input], now: datetime) -> None:
            while True:
                decision = reactor.receive(inputs, now)
                await store.commit(Turn(now, decision.facts))
                starts = [each for each in decision.effects if isinstance(each, Start)]
                inputs = [Finished(each.step, each.number, Ending.SUCCEEDED) for each in starts]
                if not inputs:
                    return

        await turn([Restarted()], BEGUN)
        for event in events:
            while (wake := reactor.wake_at()) is not None and wake <= event.received:
                await turn([], wake + DELAY)
            await turn([Arrived(event.source, [event])], event.received + DELAY)
        while (wake := reactor.wake_at()) is not None and wake <= until:
            await turn([], wake + DELAY)


def recorded(*lines: tuple[str, int, object]) -> list[Event]:
    """Events of sensors of the shop, so many seconds after the beginning."""
    definition = load.define(["shop.py"])
    found: list[Event] = []
    for number, (sensor, seconds, payload) in enumerate(lines):
        source: object = definition.graph.sensors[sensor]
        event: Event = source.event(payload)  # type: ignore[attr-defined]
        at = BEGUN + timedelta(seconds=seconds)
        found.append(replace(event, id=f"{sensor}-{number}", time=at, received=at))
    return found


@pytest.fixture
def store(run: Command, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a store in which a service wrote down an hour."""
    url = "sqlite:///past.db"
    events = recorded(
        ("inbox", 60, "inbox/a.csv"),
        ("orders", 120, {"amount": 20, "region": "eu"}),
        ("orders", 135, {"amount": 20, "region": "eu"}),
        ("orders", 140, {"amount": 1, "region": "eu"}),
        ("orders", 300, {"amount": 50, "region": "us"}),
    )
    definition = load.define(["shop.py"])
    anyio.run(live, url, definition, events, BEGUN + timedelta(hours=1))
    monkeypatch.setenv("REACTOR_STORE", url)
    return url


WITHIN = ("--since", "2026-01-05T08:00", "--until", "2026-01-05T09:00")


def test_the_history_of_a_store_is_replayed(run: Command, store: str) -> None:
    ran = run("simulate", "shop.py", *WITHIN)
    assert ran.code == 0
    assert ran.out.splitlines()[1:4] == [
        "2026-01-05 08:01:00  raw      raw +1       inbox saw inbox/a.csv",
        "2026-01-05 08:02:15  revenue  revenue[eu]  orders saw orders/0 and 1 more (full)",
        "2026-01-05 08:05:30  revenue  revenue[us]  orders saw orders/0",
    ]
    named = run("simulate", "shop.py", *WITHIN, "--store", store)
    assert named.out == ran.out


def test_against_what_happened_the_same_pipeline_launches_the_same(
    run: Command, store: str
) -> None:
    for against in ("store", store):
        ran = run("simulate", "shop.py", *WITHIN, "--against", against)
        assert ran.out.splitlines()[-1] == "nothing differs; 3 launches are the same"


def test_against_what_happened_a_longer_wait_moves_a_launch(run: Command, store: str) -> None:
    later = changed("30s", "2m")
    data = run("simulate", later, *WITHIN, "--against", "store", "--json").data
    [moved] = data["differences"]
    assert (moved["word"], moved["at"]) == ("moves", "2026-01-05T08:07:00+00:00")
    assert moved["was"].startswith("2026-01-05T08:05:30.04")
    assert data["same"] == 2


def test_a_wider_rule_is_refused_for_its_events_were_not_kept(run: Command, store: str) -> None:
    later = changed("field.amount > 10", "field.amount > 0")
    ran = run("simulate", later, *WITHIN)
    assert ran.code == 1
    assert ran.err == (
        "error: the store did not keep all that shop reads of orders (rule revenue): the rules of "
        "the time let in less of it (--partial simulates what there is; --since takes a later "
        "start)\n"
    )
    ran = run("simulate", later, *WITHIN, "--partial")
    assert ran.code == 0
    assert "not all of orders was kept" in ran.err


def test_a_narrower_rule_is_not_refused(run: Command, store: str) -> None:
    later = changed("field.amount > 10)", "field.amount > 10).where(field.region == 'us')")
    data = run("simulate", later, *WITHIN, "--json").data
    assert data["rules"]["revenue"] == 1


def test_a_rule_on_a_sensor_that_nobody_read_is_refused(run: Command, store: str) -> None:
    later = changed("on=inbox", "on=FileArrivals('outbox/*.csv')")
    ran = run("simulate", later, *WITHIN)
    assert ran.code == 1
    assert "of outbox (rule raw): no rule of the time read it" in ran.err


def test_a_start_before_the_rules_is_refused(run: Command, store: str) -> None:
    ran = run("simulate", "shop.py", "--since", "2026-01-04", "--until", "2026-01-05T09:00")
    assert ran.code == 1
    assert "inbox (rule raw): it is read like this only since 2026-01-05 08:00:00" in ran.err


def test_a_start_before_what_is_still_kept_is_refused(run: Command, store: str) -> None:
    async def pruned() -> None:
        async with open_store(store) as opened:
            await opened.prune(BEGUN + timedelta(seconds=125), BEGUN + timedelta(hours=1))

    anyio.run(pruned)
    ran = run("simulate", "shop.py", *WITHIN)
    assert ran.code == 1
    assert "the store has let go of events from before 2026-01-05 08:02:15" in ran.err
    assert run("simulate", "shop.py", *WITHIN, "--partial").code == 0
    ran = run("simulate", "shop.py", *WITHIN[2:])
    assert ran.out.splitlines()[-1] == "2 events since 2026-01-05 08:02:15: 2 launches"


def test_a_moment_that_is_none_is_refused(run: Command, store: str) -> None:
    ran = run("simulate", "shop.py", "--since", "yesterday")
    assert ran.code == 2
    assert "'yesterday' is no moment (say 2026-01-05, 2026-01-05T09:00 or 7d" in ran.err


def test_a_long_history_has_a_bar_on_a_terminal_and_nowhere_else(run: Command) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    lines = [
        {
            "sensor": "inbox",
            "time": (start + timedelta(seconds=n)).isoformat(),
            "data": f"inbox/{n}.csv",
        }
        for n in range(5_000)
    ]
    Path("events.jsonl").write_text("\n".join(map(json.dumps, lines)))
    asked = ("simulate", "shop.py", "--events", "events.jsonl", "--json")
    words = [sys.executable, "-m", "reactor.cli", *asked]
    ours, theirs = pty.openpty()
    shown = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    out, _ = shown.communicate(timeout=120)
    seen = b""
    while True:
        try:
            some = os.read(ours, 65_536)
        except OSError:
            break
        if not some:
            break
        seen += some
    os.close(ours)
    assert b"replaying" in seen
    assert b"5000" in seen
    piped = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120)
    assert (piped.stderr, piped.stdout) == ("", out)

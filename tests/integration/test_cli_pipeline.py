"""Commands that look at a pipeline and need no service: check, graph, plan, init."""

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.cli import Command, command

SHOP = """
from pydantic import BaseModel
from reactor import Pipeline, Retry, field
from sensors import FileArrivals, KafkaTopic, SchemaChanges

class Order(BaseModel):
    order_id: int
    region: str
    amount: float

shop = Pipeline("shop", owner="data@shop.example", pools={"warehouse": 2})
inbox = FileArrivals("inbox/*.csv")
orders = KafkaTopic("orders", model=Order)
tables = SchemaChanges("sqlite:///shop.db", name="tables")

@shop.asset(on=inbox | tables)
def raw_orders(events): ...

@shop.asset
def clean_orders(raw_orders): ...

@shop.asset(retry=Retry(3, backoff="1s"), pool="warehouse")
async def revenue(clean_orders): ...

@shop.asset
def vacuum(): ...

big = orders.where(field.amount > 1_000).by(field.region).batch(100, max_wait="30s")
big >> revenue
clean_orders >> vacuum

@shop.asset(on=orders.where(field.region == "eu"), follow=False)
def europe(clean_orders): ...
"""


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """Runs a command in a folder with a pipeline."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "shop.py").write_text(SHOP)
    yield command(capsys)
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def _pipeline(folder: Path, text: str) -> None:
    head = "from reactor import Pipeline\nfrom sensors import FileArrivals\n"
    (folder / "p.py").write_text(f"{head}{text}")


def test_help_names_every_command_in_a_line(run: Command) -> None:
    ran = run("--help")
    assert ran.code == 0
    for name in ("demo", "init", "check", "graph", "dev", "serve", "emit", "plan", "deadletters"):
        assert f"  {name} " in ran.out
    assert run().out == ran.out


@pytest.mark.parametrize(
    "name",
    ["demo", "init", "dev", "check", "graph", "plan", "simulate", "serve", "emit", "materialize",
     "runs", "events", "deadletters", "assets", "rules", "sensors", "doctor"],
)  # fmt: skip
def test_every_command_explains_itself(name: str, run: Command) -> None:
    ran = run(name, "--help")
    assert ran.code == 0
    assert f"Usage: reactor {name}" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "error: no such command 'chek'. Did you mean 'check'? (see reactor --help)\n"),
        (["--nope"], "error: no such option: --nope (see reactor --help)\n"),
        (["check"], "error: missing argument 'TARGET...' (see reactor check --help)\n"),
        (["graph", "shop.py", "--format", "png"], "error: invalid value for '--format': "),
        (["runs", "show", "x"], "error: invalid value for 'ID': Input should be a valid integer"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_line(
    arguments: list[str], said: str, run: Command
) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.err.startswith(said)
    assert ran.err.count("\n") == 1
    assert ran.out == ""


def test_a_good_pipeline_is_fine(run: Command) -> None:
    ran = run("check", "shop.py")
    assert (ran.code, ran.err) == (0, "")
    hint, fine = ran.out.splitlines()
    assert hint.startswith("hint: shop.py:32: europe does not say which columns it reads")
    assert fine == "shop is fine: 5 assets, 3 rules, 3 sensors; 1 hint"
    assert run("check", "shop.py", "--json").data["ok"] is True


def test_every_mistake_is_reported_with_its_place(run: Command, tmp_path: Path) -> None:
    _pipeline(
        tmp_path,
        """
p = Pipeline("p")
@p.asset
def a(b): ...
@p.asset
def c(aa): ...
@p.asset
def c(): ...
@p.asset(on=FileArrivals("inbox/*"))
def d(a): ...
""",
    )
    ran = run("check", "p.py")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "error: p.py:11: d: has a trigger of its own and reads a (say follow=True (either launches"
        " it) or follow=False (only its trigger does))",
        "error: p.py:9: two assets are called c (the other is at p.py:7)",
        "error: p.py:5: a asks for b, which is no asset",
        "error: p.py:7: c asks for aa, which is no asset (did you mean a?)",
    ]
    mistakes = run("check", "p.py", "--json")
    assert mistakes.code == 2
    assert [each["where"] for each in mistakes.data["mistakes"]] == [
        f"{tmp_path}/p.py:{line}" for line in (11, 9, 5, 7)
    ]


def test_a_circle_is_printed(run: Command, tmp_path: Path) -> None:
    _pipeline(tmp_path, 'p = Pipeline("p")\n@p.asset\ndef a(b): ...\n@p.asset\ndef b(a): ...\n')
    ran = run("check", "p.py")
    assert ran.code == 2
    line = re.fullmatch(r"error: p.py:[24]: these assets go round in a circle: (.*)\n", ran.err)
    assert line is not None
    assert line[1] in ("a -> b -> a", "b -> a -> b")


def test_what_deserves_a_look_is_a_hint_and_ends_with_0(run: Command, tmp_path: Path) -> None:
    _pipeline(
        tmp_path,
        """
p = Pipeline("p", pools={"warehose": 3}, sensors=[FileArrivals("other/*")])
@p.asset(on=FileArrivals("inbox/*"), pool="warehouse")
def a(): ...
@p.asset(owner="me")
def lonely(): ...
""",
    )
    ran = run("check", "p.py")
    assert ran.code == 0
    hints = [line.removeprefix("hint: ") for line in ran.out.splitlines()[:-1]]
    assert [hint.partition(" (")[0] for hint in hints] == [
        "p.py:7: nothing triggers lonely: it runs only by hand",
        "p.py:5: a has no owner",
        "p.py:5: pool warehouse has no limit of its own: one step at a time",
        "no asset is in pool warehose",
        "no rule listens to sensor other",
    ]
    assert ran.out.endswith("p is fine: 2 assets, 1 rule, 2 sensors; 5 hints\n")


def test_the_graph_is_drawn_as_text(run: Command) -> None:
    ran = run("graph", "shop.py")
    assert ran.code == 0
    assert (
        ran.out
        == """\
shop: 5 assets, 3 rules

sensor  kind    listens to
inbox   files   inbox/*.csv
tables  schema  sqlite:///shop.db
orders  kafka   kafka://$REACTOR_KAFKA/orders

raw_orders  inbox | tables
└─ raw_orders
   └─ clean_orders
      ├─ revenue
      ├─ vacuum
      └─ europe (not launched by it: follow=False)

revenue  orders.where(field.amount > 1000).by(field.region).batch(100, max_wait='30s')
└─ revenue

europe  orders.where(field.region == 'eu')
└─ europe
"""
    )


def test_the_graph_shows_partitions_and_how_they_are_read(run: Command, tmp_path: Path) -> None:
    _pipeline(
        tmp_path,
        """from reactor import Daily, Monthly, Offset
p = Pipeline("p")
days = Daily("2026-01-01")

@p.asset(on=FileArrivals("in/*"), partitions=days)
def raw(events): ...

@p.asset(partitions=days)
def clean(raw): ...

@p.asset(partitions=days, mapping={clean: Offset(-1, 0)})
def delta(clean): ...

@p.asset(partitions=Monthly("2026-01"))
def monthly(clean): ...

@p.asset
def total(monthly): ...
""",
    )
    assert run("graph", "p.py").out.endswith(
        """
raw  in
└─ raw Daily('2026-01-01')
   └─ clean Daily('2026-01-01')
      ├─ delta Daily('2026-01-01') (Offset(-1, 0))
      └─ monthly Monthly('2026-01') (Rollup())
         └─ total (All())
"""
    )
    assert 'label="Rollup()"' in run("graph", "p.py", "--format", "dot").out
    assets = run("graph", "p.py", "--json").data["assets"]
    assert [each["partitioned"] for each in assets[2:]] == [
        "Daily('2026-01-01')",
        "Monthly('2026-01')",
        "",
    ]
    assert [each["mapping"] for each in assets[1:3]] == [{}, {"clean": "Offset(-1, 0)"}]


def test_the_graph_is_written_for_mermaid_and_for_dot(run: Command) -> None:
    mermaid = run("graph", "shop.py", "--format", "mermaid").out.splitlines()
    assert mermaid[0] == "flowchart LR"
    assert '  n0(["inbox"])' in mermaid
    assert '  n0 -.->|"raw_orders"| n3' in mermaid
    dot = run("graph", "shop.py", "--format", "dot").out
    assert '"a/raw_orders" -> "a/clean_orders"' in dot
    assert dot.count("{") == dot.count("}") == 1


def test_names_cannot_break_out_of_a_drawing(run: Command, tmp_path: Path) -> None:
    _pipeline(tmp_path, 'p = Pipeline("p")\n@p.asset(name=\'x"] --> y[\\x1b<b>\')\ndef a(): ...\n')
    for style in ("mermaid", "dot", "text"):
        assert "\x1b" not in run("graph", "p.py", "--format", style).out
    assert '["x#quot;] --> y[\\x1b#lt;b>"]' in run("graph", "p.py", "--format", "mermaid").out
    assert '\\"] --> y[\\\\x1b' in run("graph", "p.py", "--format", "dot").out


def test_the_graph_as_data_has_what_the_api_has(run: Command) -> None:
    graph = run("graph", "shop.py", "--json").data
    assert [asset["name"] for asset in graph["assets"]][:2] == ["raw_orders", "clean_orders"]
    assert graph["assets"][1]["upstream"] == ["raw_orders"]
    assert graph["rules"][0]["sensors"] == ["inbox", "tables"]
    assert graph["sensors"][0] == {"name": "inbox", "kind": "files", "address": "inbox/*.csv"}


def test_a_deep_graph_is_drawn_too(run: Command, tmp_path: Path) -> None:
    lines = ['p = Pipeline("p")', "@p.asset", "def a0(): ..."]
    for number in range(1, 1_500):
        lines += ["@p.asset", f"def a{number}(a{number - 1}): ..."]
    _pipeline(tmp_path, "\n".join(lines))
    assert run("graph", "p.py").out.rstrip().endswith("a1499")


def _tested(folder: Path, *flags: str) -> str:
    """Runs the tests of a folder in a process of their own; they have to pass."""
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *flags, "."]
    done = subprocess.run(argv, check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _launched(run: Command, sensor: str, text: str, *flags: str) -> list[tuple[str, str, str]]:
    data = run("plan", "shop.py", sensor, text, "--json", *flags).data
    return [(each["asset"], each["after"], each["because"]) for each in data["launched"]]


def test_a_plan_says_what_would_run_and_why(run: Command) -> None:
    assert _launched(run, "inbox", "inbox/monday.csv") == [
        ("raw_orders", "", "because inbox saw inbox/monday.csv"),
        ("clean_orders", "", "because raw_orders changes"),
        ("revenue", "", "because clean_orders changes"),
        ("vacuum", "", "because clean_orders changes"),
    ]


def test_a_plan_says_what_would_not_run_and_why(run: Command) -> None:
    ran = run("plan", "shop.py", "inbox", '"inbox/monday.csv"')
    assert ran.code == 0
    assert "europe        clean_orders changes, but follow=False: only its own trigger" in ran.out
    assert ran.out.endswith("4 assets would run, 1 asset would not\n")


def test_a_plan_says_which_condition_does_not_hold(run: Command) -> None:
    small = '{"order_id": 1, "region": "us", "amount": 5}'
    data = run("plan", "shop.py", "orders", small, "--json").data
    assert data["launched"] == []
    assert data["not_fired"] == [
        {"name": "revenue", "because": "field.amount > 1000 is false: it is 5.0"},
        {"name": "europe", "because": "field.region == 'eu' is false: it is 'us'"},
    ]


ALGEBRA = """
from reactor import Pipeline, field
from sensors import FileArrivals, KafkaTopic, Schedule

shop = Pipeline("shop", owner="data@shop.example")
inbox = FileArrivals("inbox/*.csv")
orders, payments = KafkaTopic("orders"), KafkaTopic("payments")

@shop.asset(on=inbox)
def raw(events): ...

@shop.asset
def clean(raw): ...

@shop.asset
def unpaid(): ...

@shop.asset(on=Schedule("* * * * *"))
def report(events): ...

shop.rule((orders & payments).within("1h"), unpaid, name="paid")
shop.rule(orders.unless(payments, within="30m"), unpaid, name="forgotten")
shop.rule(orders.throttle("10m"), unpaid, name="seldom")
shop.rule(orders.where(lambda e: e.data["nope"]), unpaid, name="broken")
shop.rule(orders.distinct(field.id, ttl="1h"), unpaid, name="shadow", observe=True)
shop.rule(raw.materialized.debounce("1m", "5m"), unpaid, name="settled")
"""


def test_a_plan_says_of_each_rule_that_listens_whether_it_fires_waits_or_why_not(
    run: Command, tmp_path: Path
) -> None:
    (tmp_path / "algebra.py").write_text(ALGEBRA)
    ran = run("plan", "algebra.py", "orders", '{"id": 5}')
    shown = re.sub(r",? until [\d :-]*\d( UTC)?", " until THEN", ran.out)
    assert (
        shown
        == """\
if orders saw orders/0, of shop

rule       does           because
paid       waits          for payments until THEN
forgotten  waits          that no payments comes until THEN
seldom     fires at once  orders.throttle('10m')
broken     does not fire  could not judge it: its own code raised KeyError: 'nope'
shadow     only observes  it would fire at once

runs    when     because
unpaid  at once  orders saw orders/0 (rule seldom)

1 asset would run, 3 assets would not
not affected: raw, clean, report
"""
    )
    data = run("plan", "algebra.py", "orders", '{"id": 5}', "--json").data
    assert [each["does"] for each in data["rules"]] == [
        *("waits", "waits", "fires", "refuses", "observes")
    ]
    assert data["unaffected"] == ["raw", "clean", "report"]


def test_a_plan_follows_what_a_rule_hears_of_the_assets_that_run(
    run: Command, tmp_path: Path
) -> None:
    (tmp_path / "algebra.py").write_text(ALGEBRA)
    ran = run("plan", "algebra.py", "inbox", "inbox/a.csv")
    assert (
        ran.out
        == """\
if inbox saw inbox/a.csv, of shop

rule     does           because
raw      fires at once  inbox
settled  fires +1m      raw.materialized.debounce('1m', max_wait='5m')

runs    when     because
raw     at once  inbox saw inbox/a.csv
clean   at once  raw changes
unpaid  +1m      raw was materialized (rule settled)

3 assets would run, 1 asset would not
not affected: report
"""
    )


def test_a_plan_tells_of_every_asset_if_it_is_asked_to(run: Command, tmp_path: Path) -> None:
    (tmp_path / "algebra.py").write_text(ALGEBRA)
    ran = run("plan", "algebra.py", "inbox", "inbox/a.csv", "--all")
    assert ran.out.endswith(
        """
asset                 because
raw     runs          inbox saw inbox/a.csv
clean   runs          raw changes
unpaid  runs          raw was materialized
report  does not run  it is not downstream of raw

3 assets would run, 1 asset would not
"""
    )
    data = run("plan", "algebra.py", "inbox", "inbox/a.csv", "--all", "--json").data
    last = {"asset": "report", "word": "pruned", "because": "it is not downstream of raw"}
    assert data["assets"][-1] == last
    nothing = run("plan", "algebra.py", "payments", '{"id": 5}', "--all", "--json").data
    assert {each["because"] for each in nothing["assets"]} == {"nothing is launched"}


def test_on_a_terminal_a_long_reason_goes_on_below_itself(run: Command) -> None:
    words = [sys.executable, "-m", "reactor.cli", "plan", "shop.py", "inbox", "inbox/a.csv"]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "60", "NO_COLOR": "1", "TERM": "xterm"}
    shown = subprocess.Popen(words, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    with open(ours, "rb", buffering=0) as terminal:
        seen = b""
        with suppress(OSError):
            while some := terminal.read(65_536):
                seen += some
    assert shown.wait(timeout=60) == 0
    lines = re.sub(r"\x1b\[[\d;]*m", "", seen.decode()).splitlines()
    assert max(map(len, lines)) <= 60
    at = next(number for number, line in enumerate(lines) if line.startswith("europe"))
    assert lines[at : at + 2] == [
        "europe        clean_orders changes, but follow=False: only",
        "              its own trigger launches it",
    ]


def test_a_plan_waits_for_a_batch_to_be_due(run: Command) -> None:
    large = '{"order_id": 1, "region": "us", "amount": 5000}'
    assert _launched(run, "orders", large) == [("revenue", "30s", "because orders saw orders/0")]


def test_a_plan_takes_a_schema_change(run: Command) -> None:
    change = '{"table": "orders", "added": ["vat"]}'
    assert _launched(run, "tables", change)[0][:2] == ("raw_orders", "")


def test_a_plan_from_nothing_shows_what_would_be_blocked(run: Command) -> None:
    europe = '{"order_id": 1, "region": "eu", "amount": 5}'
    data = run("plan", "shop.py", "orders", europe, "--fresh", "--json").data
    assert [(each["asset"], each["status"]) for each in data["launched"]] == [("europe", "blocked")]
    assert "clean_orders" in data["launched"][0]["because"]


@pytest.mark.parametrize(
    ("sensor", "text", "said"),
    [
        ("order", "{}", "shop has no sensor order (did you mean orders?)"),
        ("orders", "{", "this is no JSON: "),
        ("orders", "{}", "sensor orders cannot see this: "),
        ("orders", '{"order_id": 1, "region": "x", "amount": "much"}', "amount"),
        ("inbox", "elsewhere/x.csv", "sensor inbox cannot see this: 'elsewhere/x.csv' is no path"),
        ("tables", '{"table": "orders"}', "nothing changed of orders"),
    ],
)
def test_an_event_that_cannot_be_ends_with_2(
    sensor: str, text: str, said: str, run: Command
) -> None:
    ran = run("plan", "shop.py", sensor, text)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_a_project_is_begun_and_its_own_tests_pass(run: Command, tmp_path: Path) -> None:
    ran = run("init", "project")
    assert ran.code == 0
    assert "PROJECT" not in (tmp_path / "project" / "pipeline.py").read_text()
    assert run("check", "project/pipeline.py").out.startswith("project is fine: 2 assets")
    assert "4 passed" in _tested(tmp_path / "project")


def test_a_project_overwrites_nothing(run: Command, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    ran = run("init", ".")
    assert ran.code == 2
    assert ran.err == (
        "error: . already has README.md (nothing was written; choose another folder)\n"
    )
    assert (tmp_path / "README.md").read_text() == "mine"
    assert not (tmp_path / "pipeline.py").exists()
    (tmp_path / "file").touch()
    assert run("init", "file/project").code == 2


def test_an_event_can_come_from_stdin(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('"inbox/monday.csv"\n'))
    assert _launched(run, "inbox", "-")[0][0] == "raw_orders"


def test_what_a_pipeline_prints_is_no_part_of_the_answer(run: Command, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(f"print('hello')\n{SHOP}")
    ran = run("graph", "shop.py", "--json")
    assert ran.data["name"] == "shop"
    assert ran.err == "hello\n"

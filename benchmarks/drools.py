"""The engine of ansible-rulebook (PyPI: drools_jpy), which runs in a Java machine inside Python.

It is driven as ansible-rulebook drives it: a rule set as JSON, each event as a dictionary that is
handed over as JSON text, each match called back. Its two habits that would slow it here are left
out: a full collection by Java after every 1,000 events, and its limit of memory is raised.
What it cannot say: that one event comes *after* the other; a prefix is a regular expression.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, assert_never

from benchmarks.order import Order
from benchmarks.workload import Between, Condition, Equal, Firing, Pair, Prefix, Workload, asked

JAVA = 17
MEMORY = "2G"


def missing() -> str:
    """Why it cannot run on this machine, or an empty text."""
    if importlib.util.find_spec("drools") is None:
        return "drools_jpy is not installed: run make bench"
    home = java_home()
    if home is None:
        return f"no Java: install Java {JAVA} or newer, or set JAVA_HOME to it"
    version = java_version(home)
    if version < JAVA:
        return f"{home} has Java {version}: install Java {JAVA} or newer, or set JAVA_HOME to it"
    return ""


def java_home() -> Path | None:
    """Where Java lives: JAVA_HOME, else where the command on the path leads."""
    said, command = os.environ.get("JAVA_HOME"), shutil.which("java")
    if said:
        return Path(said)
    return Path(command).resolve().parent.parent if command else None


def java_version(home: Path) -> int:
    """The major version in Java's own `release` file, or 0."""
    release = home / "release"
    text = release.read_text() if release.exists() else ""
    found = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', text)
    return int(found[1]) if found else 0


def environment() -> dict[str, str]:
    """What its process needs to be told."""
    return {"JAVA_HOME": str(java_home()), "DROOLS_JPY_JVM_MAXMEM": MEMORY}


class Drools:
    """A rule set in a session."""

    def __init__(self, work: Workload) -> None:
        ruleset, rule = (importlib.import_module(f"drools.{name}") for name in ("ruleset", "rule"))
        name = f"round{next(_numbers)}"
        said = {"name": name, "rules": [_rule(*each) for each in work.rules.items()]}
        self._rules = ruleset.Ruleset(name=name, serialized_ruleset=json.dumps(said))
        self._fired: list[tuple[str, Any]] = []
        for each in work.rules:
            self._rules.add_rule(rule.Rule(each, partial(self._matched, each)))

    def ready(self, orders: Sequence[Order]) -> Sequence[dict[str, Any]]:
        return [order.model_dump() for order in orders]

    def feed(self, events: Sequence[Any]) -> int:
        self._fired = []
        take = self._rules.assert_event
        for event in events:
            take(json.dumps(event))
        return len(self._fired)

    def fired(self) -> Iterable[Firing]:
        for name, matches in self._fired:
            yield name, tuple(sorted(event["order_id"] for event in matches.data.values()))

    def close(self) -> None:
        self._rules.end_session()

    def _matched(self, name: str, matches: Any) -> None:
        self._fired.append((name, matches))


_numbers = iter(range(1_000))


def _rule(name: str, condition: Condition) -> dict[str, Any]:
    action = {"Action": {"action": "none", "action_args": {}}}
    rule = {"name": name, "condition": _all(condition), "actions": [action], "enabled": True}
    return {"Rule": rule}


def _all(condition: Condition) -> dict[str, Any]:
    if not isinstance(condition, Pair):
        return {"AllCondition": [_said(condition)]}
    if condition.ordered:
        raise ValueError("it has no order of events")
    same = _binary("Equals", _event(condition.key), {"Events": f"first.{condition.key}"})
    second = _binary("And", _said(condition.second), same)
    sides = [
        _binary("Assignment", {"Events": name}, side)
        for name, side in (("first", _said(condition.first)), ("second", second))
    ]
    return {"AllCondition": sides, "timeout": "1 hours"}


def _said(condition: Condition) -> dict[str, Any]:
    match condition:
        case Equal(field, value):
            return _binary("Equals", _event(field), {"String": value})
        case Between(field, low, high):
            least = _binary("GreaterThanOrEqualTo", _event(field), {"Float": float(low)})
            most = _binary("LessThanOrEqualTo", _event(field), {"Float": float(high)})
            return _binary("And", least, most)
        case Prefix(field, text):
            pattern = {"kind": {"String": "match"}, "pattern": {"String": text}}
            return _binary("SearchMatches", _event(field), {"SearchType": pattern})
        case Pair():
            raise ValueError("a pair is not one condition")
        case _:
            assert_never(condition)


def _event(field: str) -> dict[str, Any]:
    return {"Event": field}


def _binary(name: str, left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}Expression": {"lhs": left, "rhs": right}}


if __name__ == "__main__":
    asked(Drools, warm=True)

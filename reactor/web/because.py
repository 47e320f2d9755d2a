"""Why a run ran, and what of it did not, in a few sentences.

Knows: a run's row with its works and firings, the graph as it is now, and how its rule read then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reactor.core.explain import Explained, Part, beside, explain
from reactor.core.graph import Graph
from reactor.core.plan import Known
from reactor.core.run import StepStatus
from reactor.core.sentence import instant_text, listed

Row = Mapping[str, Any]

SHOWN = 5
"""Of how many assets the reason is told, one by one."""
_PRUNED = {
    StepStatus.UNCHANGED: "needed nothing",
    StepStatus.SKIPPED: "skipped",
    StepStatus.BLOCKED: "blocked",
    StepStatus.HELD: "held",
    StepStatus.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """How a rule read when a run was launched: `trigger` is "" if that was not kept; `until` is
    when it was changed after that, None if it was not.
    """

    trigger: str = ""
    until: datetime | None = None


def wording(versions: Sequence[Row], created: datetime) -> Wording:
    """How a rule read at an instant, from its versions, the newest first."""
    until: datetime | None = None
    for version in versions:
        began = datetime.fromisoformat(version["at"])
        if began <= created:
            return Wording(version["trigger"], until)
        until = began
    return Wording("", until)


def why(
    row: Row, graph: Graph, then: Wording, changed: object = None, known: Known = lambda asset: ()
) -> list[str]:
    """Why a run ran: what launched its roots, what followed from them, and why the rest did not.

    Of a run that a schema change launched, `changed` is what that says; `known` has the partitions
    of an asset that are there.
    """
    works: Sequence[Row] = row["works"]
    roots = [work for work in works if work["root"]]
    said = [f"{_named(work)} {work['because']}." for work in roots[:SHOWN]]
    if len(roots) > SHOWN:
        said.append(f"So did {len(roots) - SHOWN} more.")
    if row["rule"] in graph.rules:
        said.append(_rule(row, str(graph.rules[row["rule"]].trigger), then))
    said.extend(_edges(works))
    said.extend(_steps(works))
    said.extend(_unaffected(row, graph, changed, known))
    return said


def every(
    row: Row, graph: Graph, changed: object = None, known: Known = lambda asset: ()
) -> tuple[tuple[Explained, ...], str]:
    """Why each asset of the pipeline ran in a run, or did not; or why that cannot be told.

    `changed` and `known` are as in `why`.
    """
    if not _of_this(row, graph):
        return (), "it was planned on another version of the pipeline, which is not kept"
    return explain(graph, row["rule"], parts(row), changed, known), ""


def _of_this(row: Row, graph: Graph) -> bool:
    """Whether a run was planned on this very graph."""
    known = all(work["asset"] in graph.assets for work in row["works"])
    return row["fingerprint"] == graph.fingerprint and known


def parts(row: Row) -> tuple[Part, ...]:
    """What a run holds, as the store shows it."""
    return tuple(map(_part, row["works"]))


def _part(work: Row) -> Part:
    step: Row = work["step"] or {"status": None, "note": "", "tries": 0}
    return Part(
        work["asset"],
        work["partition"],
        work["because"],
        work["root"],
        tuple(work.get("upstream", ())),
        tuple(work.get("later", ())),
        StepStatus(step["status"]) if step["status"] else None,
        step["note"],
        bool(step.get("tries")),
    )


def _named(work: Row) -> str:
    return f"{work['asset']}[{work['partition']}]" if work["partition"] else work["asset"]


def _rule(row: Row, now: str, then: Wording) -> str:
    times = sum(firing["matches_count"] for firing in row["firings"])
    key = f" for {row['key']}" if row["key"] is not None else ""
    often = f" {times:,} times" if times > 1 else ""
    events = row["events_count"]
    of = f", with {events:,} events" if events > 1 else ""
    timer = any(firing["timer"] for firing in row["firings"])
    by = " as time passed" if timer else ""
    head = f"Rule {row['rule']} came true{often}{by}{key}{of}: {then.trigger or now}"
    if then.until is None or then.trigger == now:
        return head
    return f"{head} (it has been changed since, at {instant_text(then.until)})"


def _edges(works: Sequence[Row]) -> Iterable[str]:
    """What followed, each with the edge that led to it."""
    rest = list({work["asset"]: work for work in works if not work["root"]}.values())
    if not rest:
        if works:
            yield "Nothing else follows from it."
        return
    told = [f"{work['asset']} {work['because']}" for work in rest[:SHOWN]]
    more = f"; and {len(rest) - SHOWN:,} more" if len(rest) > SHOWN else ""
    yield f"From that follows: {'; '.join(told)}{more}."


def _steps(works: Sequence[Row]) -> Iterable[str]:
    """What did not run of it, by reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for work in works:
        step: Row | None = work["step"]
        said = _PRUNED.get(StepStatus(step["status"])) if step else None
        if step and said:
            reasons.setdefault((said, step["note"]), []).append(_named(work))
    for (said, note), names in list(reasons.items())[:SHOWN]:
        yield f"{said.capitalize()}: {listed(names)}{f' ({note})' if note else ''}."


def _unaffected(row: Row, graph: Graph, changed: object, known: Known) -> Iterable[str]:
    """What is next to the run and not part of it; nothing is told of another version's graph."""
    if not _of_this(row, graph):
        return
    pruned = beside(graph, row["rule"], parts(row), changed, known)
    yield from (f"Not affected: {name}, as {why}." for name, why in list(pruned.items())[:SHOWN])
    rest = len(graph.assets) - len({*(work["asset"] for work in row["works"]), *pruned})
    if rest:
        assets = "1 other asset is" if rest == 1 else f"{rest:,} other assets are"
        yield f"{assets} not downstream of it."

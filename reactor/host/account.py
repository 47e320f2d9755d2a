"""What a turn did, counted and told: metrics, log lines, news."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from reactor.core.decision import Decision, Word
from reactor.core.ranges import count
from reactor.core.reactor import Reactor
from reactor.core.state import Change, Table
from reactor.host.intake import Intake
from reactor.host.news import Newsroom, news_of
from reactor.metrics import Metrics
from reactor.ports import Batch, Log


class Accounts:
    """Keeps the accounts of one host."""

    def __init__(self, metrics: Metrics, log: Log, newsroom: Newsroom, intake: Intake) -> None:
        self._metrics, self._log = metrics, log
        self._newsroom, self._intake = newsroom, intake

    def open(self, reactor: Reactor) -> None:
        """What is known at the start."""
        for row in reactor.state.rows[Table.MATERIALIZATION].values():
            self._metrics.materialized(row.asset, row.at)

    def settle(
        self, decision: Decision, batches: Iterable[Batch], reactor: Reactor, now: datetime
    ) -> None:
        """Counts what a recorded decision did, and tells who listens."""
        facts, metrics = decision.facts, self._metrics
        for batch in batches:
            if batch.dead:
                metrics.dead(batch.sensor, len(batch.dead))
        for source, accepted in Counter(event.source for _, event in facts.accepted).items():
            post = self._intake.posts.get(source)
            if post is not None:
                metrics.accepted(source, accepted)
                post.health.last_event = now
        for sensor, missed in facts.filtered.items():
            metrics.filtered(sensor, missed)
        for fired in facts.fired:
            metrics.fired(fired.rule, len(fired.matches))
        for raised in facts.raised:
            self._log.warning(
                "predicate raised", rule=raised.rule, event_id=raised.event, error=raised.error
            )
        for fate in facts.fates:
            number = count(fate.events)
            metrics.lost(fate.rule, fate.word, number)
            if fate.word is Word.EXPIRED:
                self._log.warning(
                    "events expired: they will not fire",
                    rule=fate.rule,
                    count=number,
                    why=fate.why,
                )
        for change in facts.changes:
            self._count(change)
        metrics.steps(running=reactor.running, waiting=reactor.waiting)
        if self._newsroom.heard:
            self._newsroom.publish(news_of(decision, now))

    def _count(self, change: Change) -> None:
        before, after = change.before, change.after
        if after is None:
            return
        ended: Any = getattr(after, "finished", None) and not (before and before.finished)
        match change.table:
            case Table.RUN:
                if before is None:
                    self._log.info(
                        "run planned",
                        run=after.id,
                        rule=after.rule,
                        because=after.because.removeprefix("because "),
                    )
                if ended:
                    self._metrics.run_ended(str(after.status))
                    self._log.info(
                        "run ended", run=after.id, rule=after.rule, status=str(after.status)
                    )
            case Table.STEP if ended:
                ran = (after.finished - after.started).total_seconds() if after.started else None
                self._metrics.step_ended(after.asset, str(after.status), ran)
            case Table.MATERIALIZATION:
                self._metrics.materialized(after.asset, after.at)
            case Table.RULE if before is not None and before.fingerprint != after.fingerprint:
                self._log.warning("rule changed: it starts afresh", rule=after.rule)
            case _:
                return

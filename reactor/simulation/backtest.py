"""What would have fired, had these events come to this pipeline.

Law: sensors are read to their end at every instant of the record, and not beyond it: once it is
over, what was collected still fires when its time comes, but nothing is concluded from silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from reactor.core.event import Event
from reactor.pipeline import Definition
from reactor.simulation.chronicle import Firing
from reactor.simulation.simulation import Simulation, Watch

LOOKAHEAD = timedelta(days=31)
"""How long what was collected has to fire once the record is over."""


def backtest(
    definition: Definition,
    events: Sequence[Event],
    start: datetime,
    end: datetime | None = None,
    watch: Watch = iter,
) -> list[Firing]:
    """The firings of a pipeline over events, sorted by `received`, from `start` to `end`.

    What assets did comes from the record, if it says that; else each attempt succeeds at once.
    Without an `end`, what the last events began may come to its end. `watch` sees them go by.
    """
    heard = definition.graph.heard()
    played = bool(heard) and not any(each.source.startswith("asset:") for each in events)
    simulation = Simulation(definition, start, keep="firings", plays=played)
    simulation.replay(events, watch)
    if end is not None:
        simulation.until(max(end, simulation.now))
    else:
        simulation.behind(*definition.graph.sensors).later(LOOKAHEAD)
    return simulation.firings

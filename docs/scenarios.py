"""What the diagrams of docs/triggers.md show: a few lines of a pipeline each, and what it is told.

`code` stands on the page as it is, and each name it gives to a trigger is a lane of firings.
`lanes` is what the sensors see, a column for each `step` of time:

    --1--2    a mark is an event, and what its payload says of it (see diagrams.py)
    orders eu a second word is the region of all events of the lane
    ???       nobody knows whether the sensor has more to say: it is behind
    ~         the time of an event that comes late; `happened` says of which
    xxx       in the lane `service`: it is down

Nothing else is written by hand: what fires, and when, is what the simulator says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scenario:
    """One diagram. `fates` are the words for what became of events that get a lane, too."""

    name: str
    code: str
    lanes: str
    step: str = "1s"
    start: str = "2026-01-05T00:00"
    clock: bool = False
    happened: Mapping[str, int] = field(default_factory=lambda: {})
    fates: tuple[str, ...] = ()


SCENARIOS = (
    Scenario(
        "edges",
        'fires = (orders & payments).within("1m")',
        """
        orders    --1-------------------------2-----------
        payments  ----------a-------b---------------------
        """,
    ),
    Scenario(
        "lag",
        'fires = orders.unless(payments, within="10s")',
        """
        orders    --1--------------------2-----------------
        payments  ----------------------?????????????a-----
        """,
        happened={"a": 27},
    ),
    Scenario(
        "late",
        'fires = orders.then(payments).within("20s")',
        """
        orders    ---~---------------1---------------------
        payments  ------------a----------------------------
        """,
        happened={"1": 3},
    ),
    Scenario(
        "expired",
        'fires = (orders & payments).within("2m")',
        """
        orders    --1---------------------------------2---------
        payments  ------------------------a---------------b-----
        """,
        step="10s",
        fates=("expired",),
    ),
    Scenario(
        "restart",
        'fires = orders.batch(4, max_wait="30s")',
        """
        orders   ---1-----2--?????~????3-------------4------------
        service  ------------xxxxxxxxxx--------------------------
        """,
        happened={"3": 17},
    ),
    Scenario(
        "sensor",
        """
        every = orders
        large = orders.where(field.amount > 100)
        """,
        """
        orders  ---40------250-------90-------------700-----
        """,
    ),
    Scenario(
        "either",
        "fires = orders | payments",
        """
        orders    ---1----------2--------------3---------
        payments  --------a-----------------b------------
        """,
    ),
    Scenario(
        "join",
        """
        latest = (orders & payments).within("20s")
        oldest = (orders & payments).within("20s", pair="oldest")
        collect = (orders & payments).within("20s", pair="collect")
        """,
        """
        orders    --1----2---------------3------------------
        payments  ------------a-----b-----------------------
        """,
    ),
    Scenario(
        "at_least",
        'fires = at_least(2, orders, payments, refunds).within("20s")',
        """
        orders    --1---------------------------2-----------
        payments  -------a-------------------------b--------
        refunds   ------------x-----------------------------
        """,
    ),
    Scenario(
        "then",
        'fires = orders.then(payments).within("20s")',
        """
        orders    --1-----2-----------------------3---------
        payments  -------------a-------b-----------------c--
        """,
        fates=("superseded",),
    ),
    Scenario(
        "unless",
        'fires = orders.unless(payments, within="10s")',
        """
        orders    --1----------------2----------------------
        payments  --------a-------------------------b-------
        """,
    ),
    Scenario(
        "incomplete",
        """
        whole = orders.then(payments).within("15s")
        broken = whole.incomplete()
        """,
        """
        orders    --1-----------------2---------------------
        payments  --------a-----------------------------b---
        """,
    ),
    Scenario(
        "overdue",
        'fires = inbox.overdue("0 * * * *", "15m")',
        """
        inbox  ---a-----------b----------------------c-----------
        """,
        step="5m",
        start="2026-01-05T05:30",
        clock=True,
    ),
    Scenario(
        "silent_for",
        'fires = orders.silent_for("10s")',
        """
        orders  ---1----2-----3----------------------4-----------
        """,
    ),
    Scenario(
        "complete",
        'fires = orders.complete(["eu", "us", "ap"], within="30s", member=field.region)',
        """
        orders  ---eu----ap----eu--------us-----------us------
        """,
        fates=("superseded",),
    ),
    Scenario(
        "by",
        """
        apart = orders.by(field.region).batch(2, max_wait="20s")
        mixed = orders.batch(2, max_wait="20s")
        """,
        """
        orders eu  ---1---------2-----------3----------------
        orders us  --------a----------------------b----------
        """,
    ),
    Scenario(
        "count",
        'fires = orders.count(3, within="20s")',
        """
        orders  --1---------------2----3---4---5---6----------
        """,
        fates=("superseded",),
    ),
    Scenario(
        "aggregate",
        'fires = orders.aggregate("20s", sum=field.amount > 1_000)',
        """
        orders  ---400-----300----500---200---------------900---300--
        """,
    ),
    Scenario(
        "batch",
        'fires = orders.batch(3, max_wait="15s")',
        """
        orders  ---1----2--3---------4-----5--------------------
        """,
    ),
    Scenario(
        "debounce",
        'fires = inbox.debounce("5s", max_wait="15s")',
        """
        inbox  ---1--2--3----------------a--b---c--d---e--f--g------
        """,
    ),
    Scenario(
        "throttle",
        """
        trailing = orders.throttle("10s")
        leading = orders.throttle("10s", trailing=False)
        """,
        """
        orders  ---1--2----3----4----------------------5---------
        """,
        fates=("throttled",),
    ),
    Scenario(
        "delay",
        'fires = orders.delay("10s")',
        """
        orders  ---1-----2-----------------3-------------------
        """,
    ),
    Scenario(
        "distinct",
        'fires = orders.distinct(field.id, ttl="20s")',
        """
        orders  ---1----2----1-----------------1----2-----------
        """,
        fates=("deduplicated",),
    ),
    Scenario(
        "changed",
        "fires = orders.changed(field.status)",
        """
        orders  ---new----new----paid----paid----new------------
        """,
        fates=("deduplicated",),
    ),
    Scenario(
        "during",
        """
        hold = orders.during("09:00-17:00")
        drop = orders.during("09:00-17:00", outside="drop")
        """,
        """
        orders  1-2--------3-------------4-----5-------------------------
        """,
        step="30m",
        start="2026-01-05T07:00",
        clock=True,
    ),
    Scenario(
        "asset",
        """
        done = revenue.materialized
        broken = revenue.failed
        stale = revenue.stale("20s")
        """,
        """
        orders  ---1-------x------2----------------------------
        """,
    ),
)

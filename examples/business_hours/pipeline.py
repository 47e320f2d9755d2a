"""Calls are returned in office hours; what comes at night is returned in the morning.

To see it live:
    reactor dev examples/business_hours/pipeline.py
    curl localhost:8321/hooks/calls -H 'content-type: application/json' \
        -d '{"customer": "acme", "about": "an invoice"}'
"""

from pydantic import BaseModel

from reactor import Calendar, Pipeline, field
from sensors import Schedule, Webhook


class Call(BaseModel):
    customer: str
    about: str
    kind: str = "question"


office = Pipeline("office", owner="support@shop.example")

calls = Webhook("calls", model=Call)

# The hours of the place where people sit, with its summer time and its holidays.
OPEN = Calendar(
    "mon-thu 09:00-17:00, fri 09:00-15:00",
    tz="Europe/Berlin",
    holidays=["2026-01-01", "2026-04-03", "2026-04-06", "2026-05-01", "2026-12-25"],
)

# Held until the office opens, which is the default: nobody who called is forgotten. All calls of a
# night come out at one instant, and are one list. An emergency does not wait.
in_hours = calls.where(field.kind != "emergency").during(OPEN).debounce("10s", max_wait="1m")


@office.asset(on=in_hours)
def calls_to_return(events) -> list[str]:
    """Who is to be called back, in the order in which they called."""
    return [event.data.customer for event in events]


@office.asset(on=calls.where(field.kind == "emergency"), priority=10)
def page_on_duty(event) -> str:
    """Day and night, and on holidays."""
    return f"{event.data.customer}: {event.data.about}"


# The wall board is drawn anew every ten minutes while there is somebody to look at it. What was not
# drawn at night need not be drawn in the morning, so that is dropped and not held.
minutes = Schedule(every="10m", name="minutes")


@office.asset(on=minutes.during(OPEN, outside="drop"))
def wall_board(context) -> str:
    return f"drawn in run {context.run}"

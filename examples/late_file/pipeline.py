"""A file that is due every working day, and somebody who asks for it when it is not there.

To see it live:
    reactor dev examples/late_file/pipeline.py
"""

from datetime import time
from zoneinfo import ZoneInfo

from reactor import Event, Pipeline
from sensors import FileArrivals

HERE = ZoneInfo("Europe/Berlin")

bank = Pipeline("bank", owner="treasury@shop.example")

statements = FileArrivals("statements/*.csv")


@bank.asset(on=statements)
def reconciliation(events) -> list[str]:
    """Whenever a statement comes, early or late, it is reconciled."""
    return [event.subject for event in events]


def is_of_the_morning(event: Event) -> bool:
    """Whether a file was written in time.

    What comes after its deadline counts for the next one. Here it must not: the statement that came
    at nine o'clock on Monday says nothing of Tuesday's. The event's own time is asked, not the
    clock, so that a file which we only *saw* late, because we were down, was in time all the same.
    """
    return event.time.astimezone(HERE).time() <= time(6, 30)


# Due at six, and nobody is called before half past: the clocks of two houses are never the same.
# The zone is the bank's, and so is the change of summer time.
late = statements.where(is_of_the_morning).overdue("0 6 * * mon-fri", "30m", tz="Europe/Berlin")


@bank.asset(on=late, owner="bank-desk@shop.example", retry=2)
def question_to_the_bank(context) -> str:
    """Asks for the file. There is no event, for nothing came: what is known is why we ask."""
    return f"asked in run {context.run}"

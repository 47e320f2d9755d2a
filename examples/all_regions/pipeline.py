"""The sales of a day are added up when every region has sent its file; a missing one is asked for.

To see it live:
    reactor dev examples/all_regions/pipeline.py
    mkdir -p sales/2026-01-05 && touch sales/2026-01-05/{eu,us,ap}.csv
"""

from pathlib import PurePosixPath

from reactor import Event, Pipeline
from sensors import FileArrivals

REGIONS = ["ap", "eu", "us"]

sales = Pipeline("sales", owner="controlling@shop.example")

files = FileArrivals("sales/*/*.csv")


def day_of(event: Event) -> str:
    """`2026-01-05`: files are put into a folder for each day."""
    return PurePosixPath(event.subject).parent.name


def region_of(event: Event) -> str:
    """`eu`, of `sales/2026-01-05/eu.csv`."""
    return PurePosixPath(event.subject).stem


# Kept apart by day, since Tuesday's first file may well come before Monday's last. The window is
# generous: it only says when to give up.
all_in = files.by(day_of).complete(REGIONS, within="18h", member=region_of)


@sales.asset
def world_sales(events, partition) -> dict:
    """The day as a whole. Of a region that corrected itself, the last file is among the events."""
    return {"day": partition, "files": [event.subject for event in events]}


@sales.asset
def report(world_sales, partition) -> str:
    """What goes out in the morning."""
    return f"reports/{partition}.pdf, of {len(world_sales['files'])} files"


@sales.asset(follow=False)
def reminder(partition, context, world_sales=None) -> str:
    """Goes to whoever has not sent: the reason of the run says who that is.

    A region that corrects itself when the day is already added up begins a new set, which nobody
    will complete: then there is nobody to remind. (The default value says that `world_sales` may be
    missing, `follow=False` that a change of it launches nothing here.)
    """
    return "nobody" if world_sales else f"{partition}: {context.because}"


# A day of which nothing came at all has begun no set that could be incomplete.
@sales.asset(on=files.overdue("0 20 * * *", "2h", tz="Europe/Berlin"))
def call_to_everybody(context) -> str:
    return f"called in run {context.run}"


# The partition of the assets is the day, for the rules as well as for the runs.
sales.rule(all_in, world_sales, partition=day_of)
sales.rule(all_in.incomplete(), reminder, partition=day_of)

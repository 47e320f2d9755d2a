"""A scanner drops hundreds of pages into a folder; the archive is built once, when it is done.

To see it live:
    reactor dev examples/chatty_folder/pipeline.py
    mkdir -p scans && touch scans/{1..50}.tif
"""

from reactor import Pipeline
from sensors import FileArrivals

archive = Pipeline("archive", owner="office@shop.example")

scans = FileArrivals("scans/**/*.tif")

# The feeder takes a page every second or two, so half a minute without one means that it is empty.
# On a day when it never is, the office still wants to see something every quarter of an hour.
calm = scans.debounce("30s", max_wait="15m")


@archive.asset(on=calm, max_events=5_000)
def pages(events) -> list[str]:
    """All that came since the last time, not just the last of them."""
    return sorted(event.subject for event in events)


@archive.asset
def documents(pages) -> dict:
    """Pages that belong together, as one document."""
    return {"pages": len(pages)}

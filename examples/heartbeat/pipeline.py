"""Machines that say every minute that they are alive, and somebody who goes when one does not.

To see it live:
    reactor dev examples/heartbeat/pipeline.py
"""

from pydantic import BaseModel

from reactor import Pipeline, field, meta
from sensors import KafkaTopic


class Beat(BaseModel):
    machine: str


plant = Pipeline("plant", owner="maintenance@shop.example")

# A topic and not a webhook: what is sent while we are down is still there when we are back, so that
# a restart of ours is no silence of theirs.
beats = KafkaTopic("beats", model=Beat)

# Five beats may be lost on the way; the sixth is not there. A machine is listened to from its first
# beat on, so that a new one needs no list to be put on.
silent = beats.by(field.machine).silent_for("5m")


@plant.asset
def visit(event, partition) -> dict:
    """Sends somebody to the machine. The event is the last that it said."""
    return {"machine": partition, "last heard": event.time.isoformat()}


plant.rule(silent, visit, name="silent", partition=field.machine)


# Nothing from any machine at all is another matter: then it is the network, or us.
@plant.asset(on=beats.silent_for("10m"), owner="network@shop.example")
def look_at_the_network(events) -> str:
    """Also when nothing was heard since the start: then there is no last beat."""
    return "nothing was ever heard" if not events else "it fell silent"


# A machine that was given up and beats again: it is well, and is off the list of visits. The key of
# what happened to a partition of an asset is the partition, here the machine.
@plant.asset(follow=False)
def visits_to_be_made(visit, partition) -> str:
    return f"{partition} is well again"


back = visit.materialized.by(meta.key).then(beats.by(field.machine)).within("7d")
plant.rule(back, visits_to_be_made, name="back", partition=meta.key)

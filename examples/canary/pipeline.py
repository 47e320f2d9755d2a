"""A canary is sent through the whole chain every minute; if its echo does not come, it is broken.

To see it live:
    reactor dev examples/canary/pipeline.py
"""

from pydantic import BaseModel

from reactor import Pipeline, field
from sensors import KafkaTopic


class Canary(BaseModel):
    id: str


class Row(BaseModel):
    id: str
    canary: str | None = None


watch = Pipeline("watch", owner="platform@shop.example")

# What a small job writes at the beginning of the chain, and what comes out at its end, two services
# and a database later. That every part says it is well proves less than one canary that arrives.
sent = KafkaTopic("canaries", model=Canary)
facts = KafkaTopic("facts", model=Row)
# What no rule lets in is not kept: of a busy table only the canaries.
echoes = facts.where(~field.canary.is_null())

# Each side is keyed by what it calls the canary. An echo that is on its way in the topic, and that
# we have not read yet, counts: nothing is concluded before both topics were read so far.
lost = sent.by(field.id).unless(echoes.by(field.canary), within="45s")


@watch.asset(on=lost)
def diagnosis(events) -> dict:
    """Looks along the chain for the place where canaries stay. Many that are lost while it looks
    are one more look, with all of them: one run waits behind the one that goes."""
    return {"lost": [event.data.id for event in events]}


@watch.asset
def note_to_platform(diagnosis) -> str:
    return f"{len(diagnosis['lost'])} canaries lost, the first is {diagnosis['lost'][0]}"


# And who sends the canaries? If none is sent, none is lost.
@watch.asset(on=sent.silent_for("5m"))
def sender(context) -> str:
    """Starts the small job anew."""
    return f"restarted in run {context.run}"

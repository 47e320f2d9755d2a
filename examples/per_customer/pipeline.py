"""What customers use is put on their accounts: many entries at once, and none later than an hour.

To see it live:
    reactor dev examples/per_customer/pipeline.py
"""

from pydantic import BaseModel

from reactor import Pipeline, field
from sensors import KafkaTopic


class Usage(BaseModel):
    id: str
    customer: str
    units: int


billing = Pipeline("billing", owner="billing@shop.example", pools={"ledger": 2})

usage = KafkaTopic("usage", model=Usage)

# A sender that is not sure sends again, under a new offset but with the same id: that is no second
# use. Then each customer's entries are collected by themselves; a busy one is put through every
# hundred entries, a quiet one after an hour, and neither waits for the other.
once = usage.by(field.customer).distinct(field.id, ttl="1d")
collected = once.batch(100, max_wait="1h")


@billing.asset(pool="ledger")
def account(events, partition, context) -> dict:
    """Puts a customer's entries on the account.

    The run key is the same when the attempt is repeated, so that a ledger which knows it already
    can say that it has this entry.
    """
    units = sum(event.data.units for event in events)
    return {"customer": partition, "units": units, "entry": context.run_key}


@billing.asset
def warning(account, partition) -> str | None:
    """Tells a customer who has used much at once."""
    return f"{partition} used {account['units']} units" if account["units"] > 1_000 else None


# The partition is the customer: runs of different customers do not wait for each other, and an
# account that fails blocks its own warning only.
billing.rule(collected, account, partition=field.customer)

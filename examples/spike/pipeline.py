"""Payments that fail in numbers, or take too long on average: the provider is looked into.

To see it live:
    reactor dev examples/spike/pipeline.py
"""

from pydantic import BaseModel

from reactor import Pipeline, field
from sensors import KafkaTopic


class Payment(BaseModel):
    id: int
    provider: str
    status: str = "paid"
    seconds: float = 0.4


checkout = Pipeline("checkout", owner="payments@shop.example", pools={"providers": 1})

# Some tills send what they could not send before: up to two minutes late, a failure still counts.
payments = KafkaTopic("payments", model=Payment, lateness="2m")

# One failure is somebody's wrong card. Five within a minute, with the same provider, are a failing
# provider. The five are used up: it takes five new ones to say so again.
failing = payments.where(field.status == "failed").by(field.provider).count(5, within="1m")

# The average says nothing of three payments, so it must be one of twenty. It fires when it comes to
# be bad, not again and again while it stays so.
slow = payments.by(field.provider).aggregate("5m", avg=field.seconds > 3, of_at_least=20)


@checkout.asset(pool="providers")
def health_of_provider(partition, events) -> dict:
    """Asks the provider how it is: `partition` is its name, `events` are the payments."""
    return {"provider": partition, "payments": len(events)}


@checkout.asset
def routing(health_of_provider, partition) -> str:
    """Sends payments elsewhere while the provider is not well."""
    return f"around {health_of_provider['provider']}"


checkout.rule(failing, health_of_provider, name="failing", partition=field.provider, priority=10)
checkout.rule(slow, health_of_provider, name="slow", partition=field.provider)

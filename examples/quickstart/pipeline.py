"""Orders from files and from a webhook; a report that runs only when it has to.

    reactor dev examples/quickstart/pipeline.py
    curl localhost:8321/hooks/payments -H 'content-type: application/json' \
        -d '{"order_id": 1, "region": "north", "amount": 1200}'
"""

from pydantic import BaseModel

from reactor import Pipeline, Retry, field
from sensors import FileArrivals, Webhook


class Payment(BaseModel):
    order_id: int
    region: str
    amount: float


shop = Pipeline("shop", owner="data@shop.example", pools={"warehouse": 2})

inbox = FileArrivals("inbox/*.csv")
payments = Webhook("payments", model=Payment)


@shop.asset(on=inbox)
def raw_orders(events) -> list[str]:
    """The files that arrived since the last time."""
    return [event.subject for event in events]


@shop.asset
def clean_orders(raw_orders) -> dict:
    """What is left of them once they are checked."""
    return {"files": raw_orders, "count": len(raw_orders)}


@shop.check(clean_orders)
def there_are_orders(clean_orders) -> bool:
    return clean_orders["count"] > 0


@shop.asset(retry=Retry(3, backoff="1s"), pool="warehouse")
async def revenue(clean_orders) -> dict:
    """What was earned: built from files, and again when much was paid at once."""
    return {"orders": clean_orders["count"]}


@shop.asset
def report(revenue) -> str:
    """What the boss reads."""
    return f"{revenue['orders']} files of orders"


# A trigger flows into an asset: large payments, of one region, at most every half minute.
large = payments.where(field.amount > 1_000).by(field.region).batch(100, max_wait="30s")
large >> revenue

"""The shop of the first page: what a user writes, whole."""

from pydantic import BaseModel

from reactor import Pipeline, Retry, field
from sensors import FileArrivals, KafkaTopic, SchemaChanges


class Order(BaseModel):
    order_id: int
    region: str
    amount: float


shop = Pipeline("shop", owner="data@shop.example")

inbox = FileArrivals("inbox/*.csv")  # values: nothing is opened here
orders = KafkaTopic("orders", model=Order)
tables = SchemaChanges("postgresql://localhost/shop", tables="public.*")


@shop.asset(on=inbox | tables)
def raw_orders(events) -> list[str]:  # what a function asks for, it asks for by name
    return [f"lake/raw/{e.subject}" for e in events]


@shop.asset
def clean_orders(raw_orders):  # a parameter is an edge
    return f"lake/clean/{len(raw_orders)}.parquet"


@shop.check(clean_orders)
def no_negative_amounts(clean_orders): ...


@shop.asset(retry=Retry(3, backoff="1s"), timeout="10m", pool="warehouse")
async def revenue(clean_orders): ...


@shop.asset
def vacuum(): ...


big = orders.where(field.amount > 1_000).by(field.region).batch(100, max_wait="30s")
big >> revenue  # a trigger flows into an asset,
clean_orders >> vacuum  # an asset into an asset: one arrow for the whole graph

"""A new column is filled in for the past once the first data with it arrives, and not before.

To see it live:
    reactor dev examples/schema_then_data/pipeline.py
"""

from pydantic import BaseModel

from reactor import Pipeline, field, meta
from sensors import KafkaTopic, SchemaChanges


class Order(BaseModel):
    order_id: int
    amount: float
    currency: str | None = None


shop = Pipeline("shop", owner="data@shop.example")

tables = SchemaChanges("sqlite:///shop.db", tables="orders")
orders = KafkaTopic("orders", model=Order)

# Either of the two alone says too little. A column may be added weeks before anything writes it;
# and producers send the field before the table can take it, when there is nothing to fill in yet.
added = tables.where(
    (meta.subject == "orders")
    & field.columns.contains("currency")
    & field.kinds.contains("column_added")
)
with_currency = orders.where(~field.currency.is_null())


@shop.asset(on=added.then(with_currency).within("30d"))
def currency_of_old_orders(events) -> dict:
    """Fills in the column for orders that were made before there was one."""
    change, first = events
    return {"table": change.data.table, "since": first.data.order_id}


@shop.asset
def revenue_by_currency(currency_of_old_orders) -> str:
    """Only makes sense once the past has currencies, too."""
    return f"from order {currency_of_old_orders['since']}"


# A column that is taken away again breaks what reads it: somebody should know at once.
breaking = tables.where(field.breaking == True)  # noqa: E712 - a field is compared, not asked


@shop.asset(on=breaking, owner="shop-team@shop.example")
def note_to_the_shop_team(event) -> str:
    """Says what changed, in the words of the event."""
    return str(event.data)

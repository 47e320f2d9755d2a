"""The jaffle shop, dbt's public example of a warehouse: its tables, models, edges and columns.

Written down by hand, as facts, from the models of github.com/dbt-labs/jaffle-shop. Two things are
ours: each table of the shop has an asset that copies it, and what orders bring is kept day by day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reactor.core.asset import Asset, Rule, Upstream
from reactor.core.field import field, path_of
from reactor.core.graph import Graph
from reactor.core.lineage import ALL, Lineage
from reactor.core.mapping import All, Keys, Same
from reactor.core.mapping import Mapping as PartitionMapping
from reactor.core.reader import schema_rules
from reactor.core.window import Daily
from sensors import KafkaTopic, SchemaChanges

DAYS = Daily("2026-01-01")
LOADS = KafkaTopic("loads")
SHAPES = SchemaChanges("postgresql://localhost/shop", tables="ecom.*", name="ecom")

TABLES: Mapping[str, tuple[str, ...]] = {
    "customers": ("id", "name"),
    "stores": ("id", "name", "opened_at", "tax_rate"),
    "products": ("sku", "name", "type", "price", "description"),
    "supplies": ("id", "name", "cost", "perishable", "sku"),
    "orders": ("id", "customer", "ordered_at", "store_id", "subtotal", "tax_paid", "order_total"),
    "items": ("id", "order_id", "sku"),
}
"""The tables of the shop and their columns; `raw_orders` is the copy of `ecom.orders`."""

DAILY = frozenset(
    {"raw_orders", "raw_items", "stg_orders", "stg_order_items", "order_items", "orders"}
)

_COLUMNS = """
stg_customers: customer_id = raw_customers.id; customer_name = raw_customers.name
stg_locations: location_id = raw_stores.id; location_name = raw_stores.name;
    tax_rate = raw_stores.tax_rate; opened_date = raw_stores.opened_at
stg_products: product_id = raw_products.sku; product_name = raw_products.name;
    product_type = raw_products.type; product_description = raw_products.description;
    product_price = raw_products.price; is_food_item = raw_products.type;
    is_drink_item = raw_products.type
stg_supplies: supply_uuid = raw_supplies.id raw_supplies.sku; supply_id = raw_supplies.id;
    product_id = raw_supplies.sku; supply_name = raw_supplies.name;
    supply_cost = raw_supplies.cost; is_perishable_supply = raw_supplies.perishable
stg_orders: order_id = raw_orders.id; location_id = raw_orders.store_id;
    customer_id = raw_orders.customer; subtotal_cents = raw_orders.subtotal;
    tax_paid_cents = raw_orders.tax_paid; order_total_cents = raw_orders.order_total;
    subtotal = raw_orders.subtotal; tax_paid = raw_orders.tax_paid;
    order_total = raw_orders.order_total; ordered_at = raw_orders.ordered_at
stg_order_items: order_item_id = raw_items.id; order_id = raw_items.order_id;
    product_id = raw_items.sku
locations: location_id = stg_locations.location_id; location_name = stg_locations.location_name;
    tax_rate = stg_locations.tax_rate; opened_date = stg_locations.opened_date
products: product_id = stg_products.product_id; product_name = stg_products.product_name;
    product_type = stg_products.product_type; product_price = stg_products.product_price;
    product_description = stg_products.product_description;
    is_food_item = stg_products.is_food_item; is_drink_item = stg_products.is_drink_item
supplies: supply_uuid = stg_supplies.supply_uuid; supply_id = stg_supplies.supply_id;
    product_id = stg_supplies.product_id; supply_name = stg_supplies.supply_name;
    supply_cost = stg_supplies.supply_cost;
    is_perishable_supply = stg_supplies.is_perishable_supply
order_items: order_item_id = stg_order_items.order_item_id; order_id = stg_order_items.order_id;
    product_id = stg_order_items.product_id; ordered_at = stg_orders.ordered_at;
    product_name = stg_products.product_name; product_price = stg_products.product_price;
    is_food_item = stg_products.is_food_item; is_drink_item = stg_products.is_drink_item;
    supply_cost = stg_supplies.supply_cost;
    | stg_order_items.order_id stg_order_items.product_id stg_orders.order_id
    stg_products.product_id stg_supplies.product_id
orders: order_id = stg_orders.order_id; location_id = stg_orders.location_id;
    customer_id = stg_orders.customer_id; subtotal_cents = stg_orders.subtotal_cents;
    tax_paid_cents = stg_orders.tax_paid_cents; order_total_cents = stg_orders.order_total_cents;
    subtotal = stg_orders.subtotal; tax_paid = stg_orders.tax_paid;
    order_total = stg_orders.order_total; ordered_at = stg_orders.ordered_at;
    order_cost = order_items.supply_cost; order_items_subtotal = order_items.product_price;
    count_order_items = order_items.order_item_id; count_food_items = order_items.is_food_item;
    count_drink_items = order_items.is_drink_item; is_food_order = order_items.is_food_item;
    is_drink_order = order_items.is_drink_item;
    customer_order_number = stg_orders.customer_id stg_orders.ordered_at
    | stg_orders.order_id order_items.order_id
customers: customer_id = stg_customers.customer_id; customer_name = stg_customers.customer_name;
    count_lifetime_orders = orders.order_id; first_ordered_at = orders.ordered_at;
    last_ordered_at = orders.ordered_at; lifetime_spend_pretax = orders.subtotal;
    lifetime_tax_paid = orders.tax_paid; lifetime_spend = orders.order_total;
    customer_type = orders.order_id
    | stg_customers.customer_id orders.customer_id orders.order_id
"""
"""What each column derives from; behind the bar, what decides which rows there are."""

Origin = tuple[str, str]
"""A column of a model or of a copied table."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model: from what each of its columns derives, and what shapes all of them."""

    name: str
    columns: Mapping[str, frozenset[Origin]]
    shaping: frozenset[Origin]

    @property
    def reads(self) -> tuple[Origin, ...]:
        """All columns that it names."""
        return tuple(sorted({*self.shaping, *(o for each in self.columns.values() for o in each)}))

    @property
    def upstream(self) -> tuple[str, ...]:
        """What it reads, by name."""
        return tuple(dict.fromkeys(name for name, _ in self.reads))


def _models() -> Iterator[Model]:
    for text in _COLUMNS.replace("\n   ", "").strip().splitlines():
        name, _, rest = text.partition(":")
        listed, _, shaping = rest.partition("|")
        columns: dict[str, frozenset[Origin]] = {}
        for each in filter(str.strip, listed.split(";")):
            column, _, origins = each.partition("=")
            columns[column.strip()] = _origins(origins)
        yield Model(name, columns, _origins(shaping))


def _origins(text: str) -> frozenset[Origin]:
    return frozenset((name, column) for name, _, column in (w.partition(".") for w in text.split()))


MODELS: Mapping[str, Model] = {model.name: model for model in _models()}
"""Upstreams first."""
COPIES = tuple(f"raw_{table}" for table in TABLES)


def graph() -> Graph:
    """The jaffle shop as a graph: a rule for each table's loads, and one for changes of shape."""
    assets = [*map(_copy, TABLES), *map(_asset, MODELS.values())]
    rules = [
        Rule(
            f"load {table}",
            LOADS.where(field.table == table),
            (f"raw_{table}",),
            path_of(field.day) if f"raw_{table}" in DAILY else None,
        )
        for table in TABLES
    ]
    return Graph.of(
        "jaffle_shop", assets, [*rules, *schema_rules(assets, rules, [SHAPES])], [SHAPES]
    )


def _copy(table: str) -> Asset:
    """What takes a table as it is, with all of its columns."""
    source = f"ecom.{table}"
    lineage = Lineage({source: ALL}, {}, passes={source: frozenset()})
    return Asset(f"raw_{table}", partitions=_parts(f"raw_{table}"), lineage=lineage)


def _asset(model: Model) -> Asset:
    reads = {
        name: frozenset(column for source, column in model.reads if source == name)
        for name in model.upstream
    }
    lineage = Lineage(reads, model.columns, model.shaping)
    upstream = tuple(Upstream(name, mapping=mapping(name, model.name)) for name in model.upstream)
    return Asset(model.name, upstream, partitions=_parts(model.name), lineage=lineage)


def _parts(name: str) -> Daily | None:
    return DAYS if name in DAILY else None


def mapping(above: str, below: str) -> PartitionMapping | None:
    """Which days of one asset another one reads."""
    match above in DAILY, below in DAILY:
        case True, True:
            return Same()
        case True, False:
            return All()
        case False, True:
            return Keys()
        case _:
            return None

"""`SchemaChanges` as a value: its name, its address, its test events."""

from typing import Any

import pytest

from reactor.core.contract import Change, SchemaChange
from reactor.core.field import field
from reactor.core.predicate import predicate_of
from sensors import SchemaChanges
from sensors.schema import SchemaChanged

SHOP = SchemaChanges(
    "postgresql://me:s3cret@localhost:5432/shop?sslmode=require", tables="public.*"
)


@pytest.mark.parametrize(
    ("target", "name", "address"),
    [
        ("postgresql://localhost/shop", "shop", "postgresql://localhost/shop"),
        (
            "postgresql://me:pw@db.example:5433/shop?a=b",
            "shop",
            "postgresql://db.example:5433/shop",
        ),
        ("postgresql://me:p@ss/w?rd@db/shop", "shop", "postgresql://db/shop"),
        ("mysql+pymysql://localhost/crm", "crm", "mysql://localhost/crm"),
        ("sqlite:///data/shop.db", "shop", "sqlite:///data/shop.db"),
        ("sqlite:////var/lib/shop.db", "shop", "sqlite:////var/lib/shop.db"),
        ("lake/raw/*.parquet", "raw", "lake/raw/*.parquet"),
        ("lake/raw/**/*.csv", "raw", "lake/raw/**/*.csv"),
        ("lake/*/x/*.csv", "lake", "lake/*/x/*.csv"),
        ("lake/raw/orders.csv", "raw", "lake/raw/orders.csv"),
        ("*.jsonl", "files", "*.jsonl"),
        ("lake/raw/*", "raw", "lake/raw/*"),
    ],
)
def test_name_and_address_come_from_the_target(target: str, name: str, address: str) -> None:
    sensor = SchemaChanges(target)
    assert (sensor.name, sensor.address) == (name, address)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"target": "sqlite:///:memory:"}, "in memory"),
        ({"target": "sqlite://"}, "in memory"),
        ({"target": "lake/raw/*.xlsx"}, "does not match"),
        ({"target": "lake/raw"}, "does not match"),
        ({"target": ""}, "does not match"),
        ({"target": "lake/*.csv", "tables": "public.*"}, "for databases"),
        ({"target": "postgresql://x/y", "tables": ""}, "a glob"),
        ({"target": "postgresql://x/y", "every": "0s"}, "too often"),
        ({"target": "postgresql://x/y", "baseline": "guess"}, "record or announce"),
        ({"target": "postgresql://x/y", "notify": "yes"}, "auto, True or False"),
        ({"target": "sqlite:///shop.db", "notify": True}, "is for PostgreSQL"),
        ({"target": "lake/*.csv", "notify": True}, "is for PostgreSQL"),
    ],
)
def test_what_cannot_be_watched_is_refused_where_it_is_written(
    settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        SchemaChanges(**settings)


def test_equal_values_are_one_sensor_and_no_password_is_shown() -> None:
    again = SchemaChanges(SHOP.target, tables=["public.*"])
    assert again == SHOP
    assert hash(again) == hash(SHOP)
    assert SchemaChanges(SHOP.target, tables="public.o*") != SHOP
    assert "s3cret" not in f"{SHOP!r} {SHOP} {SHOP.address} {SHOP.name}"


def test_a_test_event_says_what_changed() -> None:
    event = SHOP.event("public.orders", removed="amount", added=["total", "tax"])
    assert (event.source, event.type, event.subject) == ("shop", "schema.changed", "public.orders")
    data = event.data
    assert data.breaking
    assert data.columns == ("amount", "total", "tax")
    assert data.kinds == ("column_removed", "column_added")
    assert event.raw is not None
    assert SHOP.restore(event.raw) == data


def test_a_test_event_may_be_described_in_any_of_these_ways() -> None:
    change = Change("column_retyped", False, "id", "integer", "bigint")
    exact = SHOP.event("public.orders", changes=[change])
    assert exact.data.changes == (change,)
    assert not exact.data.breaking
    as_json = SHOP.event({"table": "public.orders", "renamed": {"a": "b"}})
    assert as_json.data.columns == ("a", "b")
    moved = SHOP.event("public.orders", renamed_to="public.sales")
    assert moved.data.changes == (
        Change("table_renamed", True, before="public.orders", after="public.sales"),
    )
    whole = SHOP.event(exact.data.model_dump(mode="json"))
    assert whole.data == exact.data
    numbered = SHOP.event(
        SchemaChanged.of("t", 3, SchemaChange((Change("table_dropped", True),))).model_dump()
    )
    assert numbered.id == "t@3"
    assert SHOP.event("t", dropped=True).id != SHOP.event("t", dropped=True).id


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"table": "t"}, "nothing changed"),
        ({"removed": "a"}, "table"),
        ({"table": "t", "remove": "a"}, "remove"),
        ({"table": "t", "changes": [{"kind": "nonsense", "breaking": True}]}, "kind"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SHOP.event(given)


def test_rules_can_look_into_the_change() -> None:
    event = SHOP.event("public.orders", removed="amount")
    for predicate, holds in (
        (field.breaking == True, True),  # noqa: E712
        (field.table.startswith("public."), True),
        (field.columns.contains("amount"), True),
        (field.kinds.contains("column_added"), False),
        (field.changes[0].column == "amount", True),
    ):
        assert predicate_of(predicate).test()(event) is holds

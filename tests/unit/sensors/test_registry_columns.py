"""Schemas as columns, and which changes of them break a reader of columns."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.contract import Column, TableSchema, diff
from sensors.registry.schema import Resolved, Schema, Unusable
from sensors.registry.wire import table


def avro(*fields: Any, **others: Any) -> TableSchema:
    record = {"type": "record", "name": "Order", "namespace": "shop", "fields": list(fields)}
    return columns("AVRO", record, **others)


def columns(kind: str, schema: Any, **others: Any) -> TableSchema:
    texts = {name.replace("__", "."): json.dumps(one) for name, one in others.items()}
    return table(Resolved(Schema(kind, json.dumps(schema)), texts))


def field(name: str, type: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type, **more}


def record(name: str, *fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


def listed(schema: TableSchema) -> dict[str, str]:
    """Types by name; a question mark where nulls may come."""
    return {one.name: one.type + "?" * one.nullable for one in schema.columns}


def test_the_fields_of_a_record_are_columns_with_their_types() -> None:
    found = avro(
        field("id", "long"),
        field("note", ["null", "string"]),
        field("amount", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}),
        field("at", {"type": "long", "logicalType": "timestamp-millis"}),
        field("state", {"type": "enum", "name": "State", "symbols": ["new", "paid"]}),
        field("hash", {"type": "fixed", "name": "Hash", "size": 16}),
        field("either", ["string", "int"]),
        field("tags", {"type": "array", "items": ["null", "string"]}),
        field("by", {"type": "map", "values": "double"}),
        field("nothing", "null"),
    )
    assert listed(found) == {
        "id": "long",
        "note": "string?",
        "amount": "decimal(10, 2)",
        "at": "timestamp-millis",
        "state": "enum(new, paid)",
        "hash": "fixed(16)",
        "either": "int | string",
        "tags": "array<null | string>",
        "by": "map<double>",
        "nothing": "null?",
    }


def test_nested_fields_have_dotted_names_and_may_be_null_where_their_record_may() -> None:
    customer = record("Customer", field("name", "string"), field("city", ["null", "string"]))
    item = record("Item", field("sku", "string"), field("price", "double"))
    found = avro(
        field("customer", customer),
        field("payer", ["null", "Customer"]),
        field("items", {"type": "array", "items": item}),
        field("what", ["Item", record("Gift", field("sku", "int"))]),
    )
    assert listed(found) == {
        "customer": "record",
        "customer.name": "string",
        "customer.city": "string?",
        "payer": "record?",
        "payer.name": "string?",
        "payer.city": "string?",
        "items": "array<record>",
        "items.sku": "string",
        "items.price": "double",
        "what": "record",
        "what.sku": "int | string?",
        "what.price": "double?",
    }


def test_a_record_that_contains_itself_is_described_once() -> None:
    found = avro(field("id", "int"), field("parent", ["null", "Order"]))
    assert listed(found) == {"id": "int", "parent": "record?"}


def test_a_schema_that_is_no_record_is_one_column() -> None:
    assert listed(columns("AVRO", "string")) == {"value": "string"}
    assert listed(columns("AVRO", ["null", "int"])) == {"value": "int?"}
    assert listed(columns("JSON", {"type": "array", "items": {"type": "integer"}})) == {
        "value": "array<integer>"
    }


def test_what_is_referred_to_is_found_by_its_name() -> None:
    city = {**record("City", field("zip", "string")), "namespace": "shop"}
    assert listed(avro(field("city", "shop.City"), shop__City=city))["city.zip"] == "string"
    found = columns(
        "JSON",
        {"properties": {"city": {"$ref": "city.json#/$defs/city"}}, "required": ["city"]},
        city__json={"$defs": {"city": {"properties": {"zip": {"type": "string"}}}}},
    )
    assert listed(found) == {"city": "object", "city.zip": "string?"}


def test_properties_of_a_json_schema_are_columns() -> None:
    found = columns(
        "JSON",
        {
            "type": "object",
            "properties": {
                "id": {"type": "integer"},
                "note": {"type": ["string", "null"]},
                "late": {"type": "boolean"},
                "at": {"type": "string", "format": "date-time"},
                "state": {"enum": ["paid", "new"]},
                "any": {},
                "either": {"oneOf": [{"type": "null"}, {"type": "number"}]},
                "customer": {"$ref": "#/definitions/customer"},
                "items": {"type": "array", "items": {"$ref": "#/definitions/item"}},
            },
            "required": ["id", "note", "at", "state", "either", "customer", "items"],
            "definitions": {
                "customer": {
                    "type": "object",
                    "allOf": [
                        {"properties": {"name": {"type": "string"}}, "required": ["name"]},
                        {"properties": {"boss": {"$ref": "#/definitions/customer"}}},
                    ],
                },
                "item": {"type": "object", "properties": {"sku": {"type": "string"}}},
            },
        },
    )
    assert listed(found) == {
        "id": "integer",
        "note": "string?",
        "late": "boolean?",
        "at": "string(date-time)",
        "state": "enum(new, paid)",
        "any": "any?",
        "either": "number?",
        "customer": "object",
        "customer.name": "string",
        "customer.boss": "object?",
        "customer.boss.name": "string?",
        "customer.boss.boss": "object?",
        "items": "array<object>",
        "items.sku": "string?",
    }


@pytest.mark.parametrize(
    ("before", "after", "said", "breaking"),
    [
        (field("a", "int"), field("a", "long"), "column a is long, was int", False),
        (field("a", "long"), field("a", "int"), "column a is int, was long", True),
        (field("a", "float"), field("a", "double"), "column a is double, was float", False),
        (field("a", "int"), field("a", "string"), "column a is string, was int", True),
        (field("a", "int"), field("a", ["null", "int"]), "column a is null now", True),
        (field("a", ["null", "int"]), field("a", "int"), "column a is not null now", False),
        (
            field("a", {"type": "enum", "name": "E", "symbols": ["x"]}),
            field("a", {"type": "enum", "name": "E", "symbols": ["y", "x"]}),
            "column a is enum(y, x), was enum(x)",
            False,
        ),
        (
            field("a", {"type": "enum", "name": "E", "symbols": ["x", "y"]}),
            field("a", {"type": "enum", "name": "E", "symbols": ["x"]}),
            "column a is enum(x), was enum(x, y)",
            True,
        ),
        (field("a", "int"), field("b", "int", aliases=["a"]), "column a renamed to b", True),
        (
            field("a", "int"),
            field("b", "int"),
            "column a removed; column b added (int not null)",
            True,
        ),
        (field("a", "int"), field("a", "int", default=7, doc="seven"), "", False),
    ],
)
def test_what_breaks_a_reader_of_columns(
    before: Any, after: Any, said: str, breaking: bool
) -> None:
    change = diff(avro(field("id", "int"), before), avro(field("id", "int"), after))
    assert (str(change), change.breaking) == (said, breaking)


def test_a_new_field_breaks_no_reader_with_a_default_or_without() -> None:
    for more in ({}, {"default": 0}):
        change = diff(avro(field("id", "int")), avro(field("id", "int"), field("a", "int", **more)))
        assert (str(change), change.breaking) == ("column a added (int not null)", False)


def test_a_renamed_record_renames_none_of_the_columns_in_it() -> None:
    inner = field("name", "string")
    before, after = avro(field("c", record("A", inner))), avro(field("c", record("B", inner)))
    assert not diff(before, after)


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("PROTOBUF", 'syntax = "proto3";', "of type PROTOBUF"),
        ("AVRO", '{"type": "nonsense"}', "no AVRO schema"),
        ("AVRO", "{", "no AVRO schema"),
        ("AVRO", '{"type": "record", "name": "A", "fields": [{"name": "b", "type": "B"}]}', "B"),
        ("JSON", "{", "no JSON schema"),
    ],
)
def test_what_cannot_be_read_says_why(kind: str, text: str, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        table(Resolved(Schema(kind, text)))


def test_a_schema_that_multiplies_is_given_up() -> None:
    inner: Any = "int"
    for at in range(14):
        one = record(f"R{at}", field("a", inner), field("b", f"R{at - 1}" if at else inner))
        inner = one
    with pytest.raises(Unusable, match="more than 10000 fields"):
        columns("AVRO", inner)


def test_a_schema_of_any_json_value_is_described_once() -> None:
    value = {
        "anyOf": [
            {"type": ["string", "null"]},
            {"type": "array", "items": {"$ref": "#/$defs/value"}},
        ]
    }
    schema = {"properties": {"v": {"$ref": "#/$defs/value"}}, "$defs": {"value": value}}
    assert listed(columns("JSON", schema)) == {"v": "array<any | null> | string?"}


@pytest.mark.parametrize("word", ["anyOf", "oneOf", "allOf"])
def test_a_schema_of_which_each_step_doubles_is_given_up(word: str) -> None:
    defs: dict[str, Any] = {"d40": {"type": "string"}}
    for at in range(40):
        defs[f"d{at}"] = {word: [{"$ref": f"#/$defs/d{at + 1}"}, {"$ref": f"#/$defs/d{at + 1}"}]}
    with pytest.raises(Unusable, match="too intricate"):
        columns("JSON", {"$ref": "#/$defs/d0", "$defs": defs})


WORDS = (
    "type properties items $ref allOf anyOf required enum const format"
    " name fields symbols size aliases logicalType"
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["type", "string", "#/a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values, st.sampled_from(["AVRO", "JSON"]))
def test_any_json_is_a_schema_or_is_said_to_be_none(value: Any, kind: str) -> None:
    try:
        found = columns(kind, value).columns
    except Unusable:
        found = ()
    assert all(isinstance(one, Column) and one.type for one in found)

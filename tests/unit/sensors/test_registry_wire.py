"""The wire format: what is read from it is what was written, and nothing else is read."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from struct import pack
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import from_json

from reactor.core.errors import SensorError
from reactor.typed import dumped, revived
from sensors import KafkaTopic, SchemaRegistry
from sensors.registry.schema import Resolved, Schema, Undecodable, Unusable
from sensors.registry.wire import reader, schema_id, table

NODE: Any = {
    "type": "record",
    "name": "Node",
    "fields": [{"name": "next", "type": ["null", "Node"]}],
}
NESTED: Any = "null"
"""Records of two records each, forty deep, in which there is nothing."""
for _at in range(40):
    _fields = [{"name": "a", "type": NESTED}, {"name": "b", "type": f"R{_at - 1}"}]
    NESTED = {"type": "record", "name": f"R{_at}", "fields": _fields[: 2 if _at else 1]}
ORDER: Any = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {
            "name": "amount",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2},
        },
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "hour", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "photo", "type": "bytes"},
        {"name": "weight", "type": "double"},
        {"name": "note", "type": ["null", "string", "int"]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "by", "type": {"type": "map", "values": "long"}},
    ],
}
ONE: dict[str, Any] = {
    "id": UUID(int=7),
    "amount": Decimal("12.50"),
    "at": datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC),
    "local": datetime(2026, 3, 1, 12),  # noqa: DTZ001 - a local timestamp has no zone
    "day": date(2026, 3, 1),
    "hour": time(7, 30),
    "photo": b"\x00\xff",
    "weight": 1.5,
    "note": None,
    "tags": ["a", '"$'],
    "by": {"x": 1},
}
TOPIC = KafkaTopic("orders", schema=SchemaRegistry("http://registry"))


def avro(schema: Any, value: Any) -> bytes:
    written = BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(schema), value)
    return written.getvalue()


def read(kind: str, schema: Any, value: bytes) -> Any:
    return TOPIC.restore(reader(Resolved(Schema(kind, json.dumps(schema))))(value))


def same(one: Any, other: Any) -> bool:
    """Equal, and of equal types all through."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or (one != one and other != other))


def test_a_payload_names_its_schema() -> None:
    assert schema_id(pack(">bI", 0, 2**31 - 5) + b"x") == 2**31 - 5
    assert schema_id(bytes(5)) == 0
    for other in (b"", bytes(4), b'{"a": 1}', b"\x01" + bytes(20), pack(">bI", 0, 2**31)):
        assert schema_id(other) is None


def test_logical_types_are_pythons_and_survive_the_store() -> None:
    found = read("AVRO", ORDER, avro(ORDER, ONE))
    assert same(found, ONE)


def test_a_model_gets_the_types_it_asks_for() -> None:
    class Order(BaseModel):
        id: UUID
        amount: Decimal
        at: datetime
        photo: bytes
        note: str | None

    topic = KafkaTopic("orders", schema=TOPIC.schema, model=Order)
    raw = reader(Resolved(Schema("AVRO", json.dumps(ORDER))))(avro(ORDER, ONE))
    order = topic.restore(raw)
    assert order == Order(**{name: ONE[name] for name in Order.model_fields})


def test_plain_values_are_kept_as_plain_json() -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]}
    assert reader(Resolved(Schema("AVRO", json.dumps(schema))))(b"\x0e") == b'{"a":7}'


def test_a_test_event_holds_what_an_event_would() -> None:
    event = TOPIC.event(ONE)
    assert same(event.data, ONE)
    assert event.raw is not None
    assert same(TOPIC.restore(event.raw), ONE)


def test_json_is_checked_against_its_schema_and_otherwise_left_as_it_is() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 3}},
        "required": ["a"],
    }
    read_json = reader(Resolved(Schema("JSON", json.dumps(schema))))
    assert read_json(b'{ "a": 3 }') == b'{ "a": 3 }'
    assert TOPIC.restore(read_json(b'{"a": 3, "$decimal": "x"}')) == {"a": 3, "$decimal": "x"}
    for value, why in (
        (b'{"a": 2}', "a: the value is less than the minimum of 3"),
        (b"{}", '"a" is a required property'),
        (b'{"a": "s3cret"}', 'a: the value is not of type "integer"'),
        (b'{"a": NaN}', "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
        (b"", "Invalid JSON"),
    ):
        with pytest.raises(Undecodable, match=why):
            read_json(value)


def test_what_json_says_of_its_own_is_not_taken_for_ours() -> None:
    read_json = reader(Resolved(Schema("JSON", "{}")))
    for text in ('{"$decimal": "no number"}', '{"$map": {"$uuid": "x"}}', '[{"$bytes": "!"}]'):
        assert TOPIC.restore(read_json(text.encode())) == json.loads(text)


@pytest.mark.parametrize("base", [{}, {"$id": "http://shop.example/schemas/order.json"}])
@pytest.mark.parametrize("name", ["city.json", "http://shop.example/schemas/city.json"])
def test_a_json_schema_refers_to_others_by_name(base: dict[str, str], name: str) -> None:
    schema = {**base, "properties": {"city": {"$ref": name}}}
    city = '{"properties": {"zip": {"type": "string"}}}'
    resolved = Resolved(Schema("JSON", json.dumps(schema)), {name: city})
    assert [one.name for one in table(resolved).columns] == ["city", "city.zip"]
    assert reader(resolved)(b'{"city": {"zip": "10115"}}')
    with pytest.raises(Undecodable, match=r"city\.zip"):
        reader(resolved)(b'{"city": {"zip": 10115}}')


def test_a_json_schema_fetches_nothing_from_elsewhere() -> None:
    with pytest.raises(Unusable, match="not present"):
        reader(Resolved(Schema("JSON", '{"$ref": "http://127.0.0.1:1/x.json"}')))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("string", b"\x0aabc"),
        ("string", b"\x04\xff\xfe"),
        ("bytes", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        ("string", b"\x09abc"),
        ("int", b""),
        ("long", b"\xff" * 20),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x08"),
        (["null", "int"], b"\x08"),
        ({"type": "array", "items": "int"}, b"\xfe\xff\xff\xff\xff\xff\xff\x01\x02"),
        ({"type": "long", "logicalType": "timestamp-millis"}, b"\xfe" + b"\xff" * 8 + b"\x01"),
        ({"type": "string", "logicalType": "uuid"}, b"\x06abc"),
        ("int", b"\x02\x02"),
        (NODE, b"\x02" * 1_000_000),
    ],
)
def test_bytes_that_are_something_else_are_undecodable(schema: Any, value: bytes) -> None:
    with pytest.raises(Undecodable):
        read("AVRO", schema, value)


def test_deep_nesting_is_read_as_far_as_it_is_sane() -> None:
    found = read("AVRO", NODE, b"\x02" * 50 + b"\x00")
    for _ in range(50):
        found = found["next"]
    assert found == {"next": None}


@pytest.mark.parametrize("depth", [150, 250, 400, 900])
def test_nesting_beyond_what_is_sane_is_an_error_of_the_value(depth: int) -> None:
    try:
        found = read("AVRO", NODE, b"\x02" * depth + b"\x00")
    except (Undecodable, SensorError):
        found = None
    assert (found is not None) is (depth < 200)


@pytest.mark.parametrize(
    "items",
    [
        "null",
        {"type": "fixed", "name": "F", "size": 0},
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": "null"}]},
        NESTED,
    ],
)
def test_a_schema_by_which_five_bytes_make_billions_is_not_used(items: Any) -> None:
    schema = {"type": "map", "values": {"type": "array", "items": items}}
    with pytest.raises(Unusable, match="take no bytes"):
        reader(Resolved(Schema("AVRO", json.dumps(schema))))


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.times()
    | st.uuids()
)
names = st.sampled_from(["a", "$decimal", "$map", "$float", "$uuid", "$", "$x"]) | st.text()
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20
)


@given(values)
def test_whatever_is_decoded_survives_the_store(value: Any) -> None:
    assert same(revived(from_json(dumped(value))), value)


@given(
    st.fixed_dictionaries(
        {
            "id": st.uuids(),
            "amount": st.decimals(-(10**17), 10**17, places=2),
            "at": st.datetimes(timezones=st.just(UTC)),
            "local": st.datetimes().map(lambda at: at.replace(microsecond=0)),
            "day": st.dates(),
            "hour": st.times().map(lambda at: at.replace(microsecond=0)),
            "photo": st.binary(),
            "weight": st.floats(),
            "note": st.none() | st.text() | st.integers(-(2**31), 2**31 - 1),
            "tags": st.lists(st.text()),
            "by": st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1)),
        }
    )
)
def test_what_a_producer_wrote_is_what_is_read(value: Any) -> None:
    found = read("AVRO", ORDER, avro(ORDER, value))
    assert same(found, value)


primitives = st.sampled_from(
    ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
)
logical = st.sampled_from(
    [
        {"type": "int", "logicalType": "date"},
        {"type": "int", "logicalType": "time-millis"},
        {"type": "long", "logicalType": "time-micros"},
        {"type": "long", "logicalType": "timestamp-millis"},
        {"type": "long", "logicalType": "timestamp-micros"},
        {"type": "long", "logicalType": "timestamp-nanos"},
        {"type": "long", "logicalType": "local-timestamp-micros"},
        {"type": "string", "logicalType": "uuid"},
        {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
        {"type": "bytes", "logicalType": "unheard-of"},
    ]
)
schemas = st.recursive(
    primitives | logical,
    lambda inner: (
        inner.map(lambda one: {"type": "array", "items": one})
        | inner.map(lambda one: {"type": "map", "values": one})
        | inner.map(
            lambda one: ["null", one] if one != "null" and not isinstance(one, list) else one
        )
        | inner.map(lambda one: {**NODE, "fields": [*NODE["fields"], {"name": "v", "type": one}]})
    ),
    max_leaves=3,
)


@given(schemas, st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_undecodable_and_nothing_else(schema: Any, data: bytes) -> None:
    try:
        read_avro = reader(Resolved(Schema("AVRO", json.dumps(schema))))
    except Unusable:
        return
    try:
        raw = read_avro(data)
    except Undecodable:
        return
    assert same(TOPIC.restore(raw), TOPIC.restore(raw))


@given(st.binary() | st.text().map(str.encode))
def test_arbitrary_bytes_are_json_or_undecodable_and_nothing_else(data: bytes) -> None:
    read_json = reader(Resolved(Schema("JSON", '{"not": {"type": "string"}}')))
    try:
        raw = read_json(data)
    except Undecodable:
        return
    assert TOPIC.restore(raw) == json.loads(data)


@given(st.binary(), st.binary(max_size=3), st.integers(0, 400))
def test_a_damaged_payload_is_read_or_undecodable_and_nothing_else(
    noise: bytes, end: bytes, at: int
) -> None:
    whole = avro(ORDER, ONE)
    read_avro = reader(Resolved(Schema("AVRO", json.dumps(ORDER))))
    for damaged in (whole[:at], whole[:at] + noise + whole[at + len(noise) :], whole + end):
        try:
            TOPIC.restore(read_avro(damaged))
        except Undecodable:
            assert damaged != whole


def test_hours_of_a_day_are_times() -> None:
    schema = {"type": "int", "logicalType": "time-millis"}
    late = avro(schema, time(23, 59, 59))
    assert read("AVRO", schema, late) == time(23, 59, 59)
    past = avro("int", int(timedelta(days=2).total_seconds() * 1000))
    with pytest.raises(Undecodable):
        read("AVRO", schema, past)
